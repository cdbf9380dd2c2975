//! `explain roaming`: the device pool a phone from elsewhere is placed in by its geolocation (G-6 to G-10).

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use emcc_policies::location::{Field, Geolocation, GeolocationWrong};
use serde::Serialize;

use super::plan;
use crate::cli::Answer;
use crate::cli::halt::Halt;

#[derive(Args)]
pub(crate) struct Roaming {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the phone is, as country=GB,A3=London; a value with a comma in quotation marks, as NAM="Smith, Sons"
    #[arg(long, value_name = "FIELDS", value_parser = geolocation)]
    geolocation: Geolocation,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

fn geolocation(text: &str) -> Result<Geolocation, String> {
    Geolocation::parse(text).map_err(|error| {
        let part = text.get(error.at..).and_then(|rest| rest.split(',').next()).unwrap_or_default().trim();
        match error.what {
            GeolocationWrong::NoValue => format!("'{part}' has no value; write it as {part}=..."),
            GeolocationWrong::Quotes => {
                format!("'{part}' has quotation marks that do not close its value; write it as NAM=\"Smith, Sons\"")
            }
            GeolocationWrong::Twice => format!("'{part}' gives its field a second value"),
            GeolocationWrong::UnknownField => {
                let names = Field::ALL.map(Field::name).join(", ");
                format!("'{part}' names none of the fields {names}")
            }
        }
    })
}

/// The keys of the contract, in its order.
#[derive(Serialize)]
pub(crate) struct RoamingAnswer {
    device_pool: Option<String>,
    score: usize,
    fallback: bool,
    because: Vec<String>,
}

impl Roaming {
    pub(super) fn answer(&self) -> Result<RoamingAnswer, Halt> {
        let plan = plan(&self.config)?;
        let chosen = plan.roaming_pool(Some(&self.geolocation));
        let pool = chosen.device_pool.and_then(|pool| plan.device_pool(pool));
        let fields: Vec<&str> = plan.feature.geolocation_filter.iter().map(|field| field.name()).collect();
        let compared = (!fields.is_empty()).then(|| format!("fields compared: {}", fields.join(", ")));
        Ok(RoamingAnswer {
            device_pool: pool.map(|pool| pool.name.to_string()),
            score: chosen.score,
            fallback: chosen.fallback,
            because: compared.into_iter().chain([chosen.because.told().to_owned()]).collect(),
        })
    }
}

impl Answer for RoamingAnswer {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let pool = self.device_pool.as_deref().unwrap_or("none");
        let how = if self.fallback { "fallback".into() } else { format!("score {}", self.score) };
        writeln!(out, "device pool: {pool} ({how})")?;
        super::reasons(&self.because, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_geolocation_is_told_by_the_part_that_is_wrong() {
        for (text, want) in [
            ("country=GB,A3", "'A3' has no value"),
            ("country=GB, planet=Mars", "'planet=Mars' names none of the fields country, A1"),
            ("A3=London,a3=Paris", "'a3=Paris' gives its field a second value"),
            ("A3=London,NAM=\"Smith, Sons", "'NAM=\"Smith' has quotation marks that do not close its value"),
        ] {
            let told = geolocation(text).unwrap_err();
            assert!(told.starts_with(want), "{text}: {told}");
        }
        assert!(geolocation("country=GB,A3=London").is_ok());
    }
}
