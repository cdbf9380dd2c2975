//! `explain login`: what the versions and security modes of two clusters make of a login (tables 5 to 8).

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use emcc_policies::login::compatibility::{LoginType, Pairing, Prompt, Reason, Verdict, judge};
use emcc_policies::login::errors::Code;
use emcc_policies::login::{ClusterMode, Security, Version};
use serde::Serialize;

use crate::cli::Answer;
use crate::cli::halt::Halt;

#[derive(Args)]
pub(crate) struct Login {
    /// Version of the visiting cluster, as 12.0 or 12.5(1)SU2
    #[arg(long, value_name = "VERSION", value_parser = version)]
    vc_version: Version,
    /// Version of the home cluster
    #[arg(long, value_name = "VERSION", value_parser = version)]
    hc_version: Version,
    /// loginType in the visiting cluster's service URL; left out: not mentioned there
    #[arg(long, value_name = "TYPE", value_parser = login_types())]
    login_type: Option<LoginType>,
    /// Security mode of the home cluster
    #[arg(long, value_name = "MODE", default_value = "mixed", value_parser = cluster_modes())]
    hc_mode: ClusterMode,
    /// Security mode of the visiting cluster
    #[arg(long, value_name = "MODE", default_value = "mixed", value_parser = cluster_modes())]
    vc_mode: ClusterMode,
    /// Security mode of the visiting phone
    #[arg(long, value_name = "MODE", default_value = "non-secure", value_parser = phone_modes())]
    phone_mode: Security,
    /// Not part of this version: the checks that need data
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Not part of this version: the phone
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Not part of this version: the user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

fn version(text: &str) -> Result<Version, &'static str> {
    Version::parse(text).ok_or("a version begins with one or two numbers, as 12.0 or 12.5(1)SU2")
}

fn login_types() -> impl TypedValueParser<Value = LoginType> {
    PossibleValuesParser::new(["UID", "SP", "DN", "OTHER"]).map(|name| LoginType::parse(&name))
}

fn cluster_modes() -> impl TypedValueParser<Value = ClusterMode> {
    let names = [ClusterMode::Mixed, ClusterMode::NonSecure].map(ClusterMode::name);
    PossibleValuesParser::new(names).try_map(|name| ClusterMode::parse(&name).ok_or("no such mode"))
}

fn phone_modes() -> impl TypedValueParser<Value = Security> {
    let names = [Security::Secure, Security::NonSecure].map(Security::name);
    PossibleValuesParser::new(names).try_map(|name| Security::parse(&name).ok_or("no such mode"))
}

/// The keys of the contract, in its order.
#[derive(Serialize)]
pub(crate) struct LoginAnswer {
    result: &'static str,
    emcc: Option<&'static str>,
    code: Option<u16>,
    display: Option<&'static str>,
    prompt: Option<&'static str>,
    config_encrypted_allowed: bool,
    because: Vec<String>,
}

impl Login {
    pub(super) fn answer(&self) -> Result<LoginAnswer, Halt> {
        if self.config.is_some() || self.device.is_some() || self.user.is_some() {
            return Err(Halt::LoginData);
        }
        let pairing = Pairing {
            vc_version: self.vc_version,
            hc_version: self.hc_version,
            login_type: self.login_type.unwrap_or_default(),
            hc_mode: self.hc_mode,
            vc_mode: self.vc_mode,
            phone: self.phone_mode,
        };
        judge(&pairing).map(|verdict| LoginAnswer::from(&verdict)).map_err(Halt::Impossible)
    }
}

impl From<&Verdict> for LoginAnswer {
    fn from(verdict: &Verdict) -> Self {
        Self {
            result: verdict.result.name(),
            emcc: verdict.emcc.map(Security::name),
            code: verdict.code.map(Code::number),
            display: verdict.display(),
            prompt: verdict.prompt.map(Prompt::name),
            config_encrypted_allowed: verdict.config_encrypted_allowed,
            because: verdict.because.iter().map(Reason::to_string).collect(),
        }
    }
}

impl Answer for LoginAnswer {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.emcc, self.code) {
            (Some(emcc), _) => writeln!(out, "login: {}, {emcc} EMCC", self.result)?,
            (None, Some(code)) => writeln!(out, "login: {}, code {code}", self.result)?,
            (None, None) => writeln!(out, "login: {}", self.result)?,
        }
        let asks = match self.prompt {
            Some("user-id") => "user ID and PIN",
            Some("self-service") => "self-service user ID and PIN",
            Some(_) => "primary extension and PIN",
            None => "nothing",
        };
        writeln!(out, "the phone asks for: {asks}")?;
        if let Some(display) = self.display {
            writeln!(out, "the phone shows: {display}")?;
        }
        super::reasons(&self.because, out)
    }
}
