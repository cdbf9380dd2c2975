//! The feature parameters of cross-cluster mobility, as the administrator reads them: what each is set to, what it may be
//! set to, and which part acts on it.

use super::{Feature, Plan};
use emcc_policies::pstn_access::PstnAccessCss;
use serde::Serialize;

/// One feature parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name in the feature's configuration page.
    pub name: &'static str,
    /// The key it is set by.
    pub key: &'static str,
    /// What it is set to, its default included.
    pub value: Value,
    /// Its default; nothing where there is none.
    pub default: Value,
    /// What it may be set to.
    pub range: &'static str,
    /// Which part of this program acts on it; nothing: it is kept, and nothing here acts on it.
    pub acts: Option<&'static str>,
}

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// None is set, or there is no default.
    Nothing,
    /// True or false.
    Flag(bool),
    /// A number, in the unit its range names.
    Number(u32),
    /// A word or a name.
    Text(Box<str>),
}

impl Value {
    fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    fn nth(list: &[Box<str>], place: usize) -> Self {
        list.get(place).map_or(Self::Nothing, |text| Self::Text(text.clone()))
    }
}

const SERVER: &str = "server name or IP address";

impl Plan {
    /// All thirteen feature parameters, in the order of the feature's configuration page.
    #[must_use]
    pub fn parameters(&self) -> [Parameter; 13] {
        let Feature { region, login_tftp_servers: tftp, remote_cluster_update_servers: update, .. } = &self.feature;
        let own = |name, key, value, default, range, acts| Parameter { name, key, value, default, range, acts };
        let number = |name, key, value, default, range, acts| {
            own(name, key, Value::Number(value), Value::Number(default), range, acts)
        };
        let server = |name, key, list: &[Box<str>], place, acts| {
            own(name, key, Value::nth(list, place), Value::Nothing, SERVER, acts)
        };
        let css = match self.trunk.setting {
            PstnAccessCss::Trunk => "trunk",
            PstnAccessCss::OriginalDevice => "original-device",
        };
        let filter = self.feature.geolocation_filter_name.as_ref();
        let loss = Value::Text(region.link_loss.to_string().into());
        [
            server("Default TFTP Server for EMCC Login Device", "feature.login_tftp_servers[0]", tftp, 0, None),
            server("Backup TFTP Server for EMCC Login Device", "feature.login_tftp_servers[1]", tftp, 1, None),
            number(
                "Default Interval for Expired EMCC Device Maintenance",
                "feature.stale_device_interval_min",
                self.feature.stale_device_interval_min,
                1_440,
                "10-1440 min",
                None,
            ),
            own(
                "Enable All Remote Cluster Services When Adding A New Remote Cluster",
                "feature.enable_services_on_new_remote_cluster",
                Value::Flag(self.feature.enable_services),
                Value::Flag(false),
                "true, false",
                Some("services of a remote cluster that lists none"),
            ),
            own(
                "CSS for PSTN Access SIP Trunk",
                "feature.pstn_access_css",
                Value::text(css),
                Value::text("trunk"),
                "trunk, original-device",
                Some("calls that come over the trunk"),
            ),
            own(
                "EMCC Geolocation Filter",
                "feature.geolocation_filter",
                filter.map_or(Value::Nothing, |name| Value::Text(name.clone())),
                Value::Nothing,
                "a configured geolocation filter",
                Some("choice of the roaming device pool"),
            ),
            number(
                "EMCC Region Max Audio Bit Rate",
                "feature.region_max_audio_kbps",
                region.audio_kbps,
                8,
                "6-510 kbit/s",
                Some("descriptions of every EMCC call"),
            ),
            number(
                "EMCC Region Max Video Call Bit Rate (Includes Audio)",
                "feature.region_max_video_kbps",
                region.video_kbps,
                384,
                "0-8128 kbit/s",
                Some("descriptions of every EMCC call"),
            ),
            own(
                "EMCC Region Link Loss Type",
                "feature.region_link_loss",
                loss,
                Value::text("low-loss"),
                "low-loss, lossy",
                Some("descriptions of every EMCC call"),
            ),
            number(
                "RSVP SIP Trunk KeepAlive Timer",
                "feature.rsvp_keepalive_s",
                self.feature.rsvp_keepalive_s.into(),
                15,
                "1-600 s",
                Some("keepalives of the RSVP trunk"),
            ),
            server(
                "Default Server For Remote Cluster Update",
                "feature.remote_cluster_update_servers[0]",
                update,
                0,
                None,
            ),
            server(
                "Backup Server for Remote Cluster Update",
                "feature.remote_cluster_update_servers[1]",
                update,
                1,
                None,
            ),
            number(
                "Remote Cluster Update Interval",
                "feature.remote_cluster_update_interval_min",
                self.feature.remote_cluster_update_interval_min,
                30,
                "15-10080 min",
                None,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load_text;

    const HEAD: &str = "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n";

    fn shown(feature: &str) -> Vec<(String, serde_json::Value)> {
        let plan =
            load_text("test", &format!("{HEAD}{feature}")).unwrap_or_else(|problems| panic!("{problems:?}")).plan;
        plan.parameters().map(|parameter| (parameter.key.to_owned(), serde_json::json!(parameter.value))).into()
    }

    /// Table 2, row by row: default, and a value at either end of the range.
    #[test]
    fn every_parameter_of_table_2_is_shown_with_what_it_is_set_to() {
        let plan = load_text("test", HEAD).unwrap().plan;
        for parameter in plan.parameters() {
            assert_eq!(parameter.value, parameter.default, "{}", parameter.name);
        }
        let least = "[feature]\nlogin_tftp_servers = [\"a\", \"b\"]\nstale_device_interval_min = 10\n\
                     enable_services_on_new_remote_cluster = true\npstn_access_css = \"original-device\"\n\
                     geolocation_filter = \"place\"\nregion_max_audio_kbps = 6\nregion_max_video_kbps = 0\n\
                     region_link_loss = \"lossy\"\nrsvp_keepalive_s = 1\nremote_cluster_update_servers = [\"c\", \"d\"]\n\
                     remote_cluster_update_interval_min = 15\n[[geolocation_filter]]\nname = \"place\"\nfields = [\"country\"]\n";
        let most = least
            .replace("= 10\n", "= 1440\n")
            .replace("audio_kbps = 6\n", "audio_kbps = 510\n")
            .replace("video_kbps = 0\n", "video_kbps = 8128\n")
            .replace("keepalive_s = 1\n", "keepalive_s = 600\n")
            .replace("interval_min = 15\n", "interval_min = 10080\n");
        for (text, numbers) in [(least, [10, 6, 0, 1, 15]), (&most, [1_440, 510, 8_128, 600, 10_080])] {
            let [stale, audio, video, keepalive, update] = numbers;
            let want = serde_json::json!([
                "a",
                "b",
                stale,
                true,
                "original-device",
                "place",
                audio,
                video,
                "lossy",
                keepalive,
                "c",
                "d",
                update
            ]);
            let got: Vec<_> = shown(text).into_iter().map(|(_, value)| value).collect();
            assert_eq!(serde_json::json!(got), want);
        }
    }

    #[test]
    fn every_parameter_of_table_2_is_refused_outside_its_range() {
        for (key, value) in [
            ("stale_device_interval_min", "9"),
            ("stale_device_interval_min", "1441"),
            ("enable_services_on_new_remote_cluster", "\"true\""),
            ("pstn_access_css", "\"phone\""),
            ("geolocation_filter", "\"nobodys\""),
            ("region_max_audio_kbps", "5"),
            ("region_max_audio_kbps", "511"),
            ("region_max_video_kbps", "-1"),
            ("region_max_video_kbps", "8129"),
            ("region_link_loss", "\"high\""),
            ("rsvp_keepalive_s", "0"),
            ("rsvp_keepalive_s", "601"),
            ("remote_cluster_update_interval_min", "14"),
            ("remote_cluster_update_interval_min", "10081"),
            ("login_tftp_servers", "[\"\"]"),
            ("login_tftp_servers", "[\"tftp://192.0.2.1\"]"),
            ("remote_cluster_update_servers", "[\"192.0.2.1:8443\"]"),
            ("remote_cluster_update_servers", "[7]"),
        ] {
            let problems = load_text("test", &format!("{HEAD}[feature]\n{key} = {value}\n")).err().unwrap_or_default();
            assert!(
                problems.iter().any(|p| p.key.starts_with(&format!("feature.{key}"))),
                "{key} = {value}: {problems:?}"
            );
        }
        // A third server is more than default and backup.
        for key in ["login_tftp_servers", "remote_cluster_update_servers"] {
            let text = format!("{HEAD}[feature]\n{key} = [\"a\", \"b\", \"c\"]\n");
            let problems = load_text("test", &text).err().unwrap_or_default();
            assert!(problems.iter().any(|p| p.message.contains("at most 2")), "{key}: {problems:?}");
        }
    }
}
