//! Messages as nobody should write them and somebody does: every header that policy knows, in all the spellings there are,
//! and what is nearly one.

use crate::view::name_of;

/// Any fixed generator will do.
pub(crate) struct Dice {
    state: u64,
    /// Words given out: each is said once.
    words: usize,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, words: 0 }
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % end
    }

    pub(crate) fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn of<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}

/// What a header is to policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Asserted,
    RemoteParty,
    AccessNetwork,
    Preferred,
    Diversion,
    Resource,
    Device,
    Icon,
    Place,
    Urgent,
    Calm,
    Listed,
    Privacy,
    /// Nothing to policy: passes as it came.
    Free,
    /// No header: in the body, behind the message, or part of a line that is none.
    Nowhere,
}

/// What somebody says in a message, with a word by which it is found again.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) kind: Kind,
    /// The header it is in, as [`crate::view::name_of`] has it.
    pub(crate) name: String,
    pub(crate) word: String,
}

/// A message and what is claimed in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Woven {
    pub(crate) bytes: Vec<u8>,
    pub(crate) claims: Vec<Claim>,
    /// It is not well formed: refused, unless an emergency call's.
    pub(crate) is_slip: bool,
    /// `Privacy: none` is in it.
    pub(crate) is_public: bool,
}

impl Woven {
    /// The method, or the status as text.
    pub(crate) fn what(&self) -> String {
        let start = String::from_utf8_lossy(self.bytes.split(|octet| *octet == b'\r').next().unwrap_or_default());
        let mut words = start.split(' ');
        let first = words.next().unwrap_or_default();
        if first == "SIP/2.0" { words.next().unwrap_or_default() } else { first }.to_owned()
    }
}

/// In the place of a header's name: the body.
pub(crate) const BODY: &str = "body";

const KINDS: [(Kind, &str); 17] = [
    (Kind::Asserted, "P-Asserted-Identity"),
    (Kind::Asserted, "P-Asserted-Identity"),
    (Kind::RemoteParty, "Remote-Party-ID"),
    (Kind::AccessNetwork, "P-Access-Network-Info"),
    (Kind::Preferred, "P-Preferred-Identity"),
    (Kind::Diversion, "Diversion"),
    (Kind::Resource, "Resource-Priority"),
    (Kind::Device, "Call-Info"),
    (Kind::Icon, "Call-Info"),
    (Kind::Place, "Geolocation"),
    (Kind::Urgent, "Priority"),
    (Kind::Calm, "Priority"),
    (Kind::Listed, "History-Info"),
    (Kind::Listed, "X-Secret"),
    (Kind::Listed, "Subject"),
    (Kind::Privacy, "Privacy"),
    (Kind::Free, "X-Note"),
];

/// One message on its way to be written.
pub(crate) struct Weaver<'d> {
    pub(crate) dice: &'d mut Dice,
    woven: Woven,
}

impl<'d> Weaver<'d> {
    pub(crate) fn new(dice: &'d mut Dice) -> Self {
        Self { dice, woven: Woven::default() }
    }

    fn word(&mut self) -> String {
        self.dice.words += 1;
        format!("smug{}z", self.dice.words)
    }

    /// The message of a start line, of the lines it needs, to be spelled somehow, of lines that stay as they are, and of a body.
    pub(crate) fn message(
        mut self,
        start: &str,
        needed: &[(&str, String)],
        plain: &[Vec<u8>],
        content: (&str, &str),
    ) -> Woven {
        let mut lines: Vec<Vec<u8>> = needed.iter().map(|(name, value)| self.line(name, value.as_bytes())).collect();
        for _ in 0..1 + self.dice.below(6) {
            let line = self.guarded();
            lines.insert(self.dice.below(lines.len() + 1), line);
        }
        if self.dice.once_in(12) {
            let line = self.slip();
            lines.insert(self.dice.below(lines.len() + 1), line);
        }
        for line in plain {
            lines.push(line.clone());
        }
        let (kind, body) = self.body(content);
        if !body.is_empty() {
            let line = self.line("Content-Type", kind.as_bytes());
            lines.push(line);
        }
        let behind = self.length(&body, &mut lines);
        let mut bytes = [start.as_bytes(), b"\r\n"].concat();
        bytes.extend(lines.concat());
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&behind);
        self.woven.bytes = bytes;
        self.woven
    }

    /// Content-Length of a body; gives back what is to stand behind the message.
    fn length(&mut self, body: &[u8], lines: &mut Vec<Vec<u8>>) -> Vec<u8> {
        let length = body.len();
        let plain = length.to_string();
        let mut behind = Vec::new();
        // Two lengths that are equal are one to this node, and the end of the headers to Kamailio: left out.
        let values = match self.dice.below(24) {
            0 => vec![],
            1 | 2 => vec![format!("000{length}")],
            3 | 4 => {
                let word = self.word();
                behind = format!("\r\nP-Asserted-Identity: <sip:{word}@h>\r\n\r\n").into_bytes();
                self.claim(Kind::Nowhere, "", word);
                vec![plain]
            }
            5 => {
                self.woven.is_slip = true;
                let wrong =
                    [&format!("+{length}"), "", "0x10", "1 2", &format!("{length},{length}"), "-1", "4294967296"]
                        .map(str::to_owned);
                vec![wrong[self.dice.below(wrong.len())].clone()]
            }
            6 => {
                self.woven.is_slip = true;
                vec![(length + 1 + self.dice.below(900)).to_string()]
            }
            7 => {
                self.woven.is_slip = true;
                vec![plain, (length + 7).to_string()]
            }
            _ => vec![plain],
        };
        for value in values {
            let line = self.line("Content-Length", value.as_bytes());
            lines.insert(self.dice.below(lines.len() + 1), line);
        }
        behind
    }

    fn body(&mut self, (kind, text): (&str, &str)) -> (String, Vec<u8>) {
        match self.dice.below(8) {
            0 => {
                let word = self.word();
                let body = format!("P-Asserted-Identity: <sip:{word}@h>\r\nDiversion: <sip:{word}@h>\r\n\r\nx\r\n");
                self.claim(Kind::Free, BODY, word);
                ("text/plain".to_owned(), body.into_bytes())
            }
            1 if kind == "application/sdp" && !text.is_empty() => {
                let word = self.word();
                let body = format!(
                    "--b\r\nContent-Type: application/pidf+xml\r\nP-Asserted-Identity: <sip:x@h>\r\n\r\n<presence id=\"{word}\"/>\r\n\
                     --b\r\nContent-Type: application/sdp\r\n\r\n{text}\r\n--b--\r\n"
                );
                self.claim(Kind::Place, BODY, word);
                ("multipart/mixed;boundary=b".to_owned(), body.into_bytes())
            }
            _ => (kind.to_owned(), text.as_bytes().to_vec()),
        }
    }

    fn claim(&mut self, kind: Kind, name: &str, word: String) {
        self.woven.claims.push(Claim { kind, name: name_of(name.as_bytes()), word });
    }

    /// A line in form.
    fn line(&mut self, name: &str, value: &[u8]) -> Vec<u8> {
        let mut line = self.name(name);
        line.extend_from_slice(
            self.dice
                .of(&[
                    ": ",
                    ": ",
                    ": ",
                    ":",
                    ":  ",
                    " :",
                    " : ",
                    "\t:",
                    "\t :\t",
                    ":\t",
                    ":\r\n ",
                    " :\r\n\t",
                    ": \r\n   ",
                ])
                .as_bytes(),
        );
        line.extend_from_slice(value);
        line.extend_from_slice(self.dice.of(&["", "", "", "", "", " ", "\t", "\r\n ", " \r\n\t\r\n "]).as_bytes());
        line.extend_from_slice(b"\r\n");
        line
    }

    fn name(&mut self, name: &str) -> Vec<u8> {
        let compact = match name {
            "Via" => "v",
            "From" => "f",
            "To" => "t",
            "Call-ID" => "i",
            "Contact" => "m",
            "Content-Type" => "c",
            "Content-Length" => "l",
            "Subject" => "s",
            _ => name,
        };
        match self.dice.below(8) {
            0 => name.to_ascii_lowercase().into_bytes(),
            1 => name.to_ascii_uppercase().into_bytes(),
            2 => {
                let mix = |octet: u8| if self.dice.once_in(2) { octet ^ 0x20 } else { octet };
                name.bytes()
                    .map(mix)
                    .zip(name.bytes())
                    .map(|(a, b)| if b.is_ascii_alphabetic() { a } else { b })
                    .collect()
            }
            3 | 4 => compact.as_bytes().to_vec(),
            5 => compact.to_ascii_uppercase().into_bytes(),
            _ => name.as_bytes().to_vec(),
        }
    }

    /// A header policy knows, or what is nearly one.
    fn guarded(&mut self) -> Vec<u8> {
        let (kind, name) = self.dice.of(&KINDS);
        if self.dice.once_in(7) {
            return self.nearly(name);
        }
        if kind == Kind::Privacy && self.dice.once_in(4) {
            self.woven.is_public = true;
            return self.line(name, b"none");
        }
        let mut value = Vec::new();
        let values = match kind {
            // One line says one thing, so that what becomes of each is known.
            Kind::Urgent | Kind::Calm | Kind::Privacy | Kind::Free => 1,
            _ => 1 + self.dice.below(3),
        };
        for number in 0..values {
            if number > 0 {
                value.extend_from_slice(self.dice.of(&[",", ", ", " ,", ",\r\n ", " \r\n\t,\r\n ", ",, "]).as_bytes());
            }
            let word = self.word();
            value.extend(self.value(kind, &word));
            self.claim(kind, name, word);
        }
        self.line(name, &value)
    }

    fn value(&mut self, kind: Kind, word: &str) -> Vec<u8> {
        match kind {
            Kind::Asserted | Kind::RemoteParty | Kind::Preferred | Kind::Diversion | Kind::Listed => {
                let mut value = match self.dice.below(13) {
                    0 => format!("sip:{word}@h"),
                    1 => format!("\"A, <B>\" <sip:{word}@h>"),
                    2 => format!("\"a \\\"<b>\\\", c\" <sip:{word}@h;x=1>"),
                    3 => format!("\"\u{fc} \u{1f4de},\" <sip:{word}@h>"),
                    4 => format!("<tel:+1;ext={word}>"),
                    5 => format!("\"no end <sip:{word}@h>"),
                    6 => format!("\"a\r\n b\r\n\tc\" <sip:{word}@h>"),
                    7 => format!("\"a\r\n \r\n b\"\r\n <sip:{word}@h>"),
                    8 => format!("x\r\n Priority: emergency\r\n Route: <sip:{word}@h>"),
                    9 => format!("\"\\\" <sip:{word}@h>"),
                    10 => format!("<sip:{word}@h>;reason=\"a\r\n\tb\";index=1"),
                    11 => word.to_owned(),
                    _ => format!("<sip:{word}@h>"),
                }
                .into_bytes();
                if self.dice.once_in(6) {
                    let odd: &[u8] = self.dice.of(&[
                        &b"\xff\xfe "[..],
                        b"\x00",
                        b"\x01\x0b\x0c ",
                        b"\x7f",
                        b"\xc2\x85 ",
                        b"\x80",
                        b"\xe2\x80\xa8",
                        b"\x1b[2K",
                    ]);
                    value.splice(0..0, odd.iter().copied());
                }
                value
            }
            Kind::AccessNetwork => format!("3GPP-UTRAN-TDD; utran-cell-id-3gpp={word}").into_bytes(),
            Kind::Resource => format!("ets.{word}").into_bytes(),
            Kind::Device => {
                let (open, close) = self.dice.of(&[("<", ">"), ("<", ">"), ("", "")]);
                let urn = self.dice.of(&["urn:emcc:device:", "URN:emcc:Device:", "urn:EMCC:DEVICE:"]);
                let purpose = self.dice.of(&[
                    ";purpose=emcc-device",
                    " ; PURPOSE = EMCC-Device",
                    ";purpose=\"emcc-device\"",
                    ";\r\n purpose\r\n =\r\n emcc-device;cluster=HQ",
                    "",
                ]);
                format!("{open}{urn}{word}{close}{purpose}").into_bytes()
            }
            Kind::Icon => {
                format!("<http://h/{word}>;purpose={}", self.dice.of(&["icon", "info", "\"icon\""])).into_bytes()
            }
            Kind::Place => {
                format!("<cid:{word}@h>{}", self.dice.of(&["", ";inserted-by=x", " ; x = \"a\""])).into_bytes()
            }
            Kind::Urgent => {
                let urgent =
                    self.dice.of(&["emergency", "EMERGENCY", "normal, Emergency", "\"emergency\"", "x\r\n emergency"]);
                format!("{urgent};x={word}").into_bytes()
            }
            Kind::Calm => {
                format!("{};x={word}", self.dice.of(&["normal", "urgent", "emergenc", "non-urgent"])).into_bytes()
            }
            Kind::Privacy => {
                format!("{};{word}", self.dice.of(&["id", "header", "id;critical", "nonexistent"])).into_bytes()
            }
            Kind::Free | Kind::Nowhere => {
                let carried = self.dice.of(&[
                    "a\r\n P-Asserted-Identity: <sip:x@h>",
                    "\"a\r\n\tDiversion: <sip:x@h>\"",
                    "a \r\n \r\n Remote-Party-ID: <sip:x@h>",
                    "\"P-Asserted-Identity: <sip:x@h>",
                    "a\\\r\n \tRoute: <sip:203.0.113.9;lr>",
                    // Not at the end, where Kamailio takes it for white space.
                    "P-Asserted-Identity: <sip:x@h>\x00;",
                    "a\x0bP-Asserted-Identity: <sip:x@h>",
                    ": P-Asserted-Identity: x",
                    "<<>>,,;;==",
                ]);
                format!("{word} {carried}").into_bytes()
            }
        }
    }

    /// A header whose name is nearly that one: another header, which nobody takes off.
    fn nearly(&mut self, name: &str) -> Vec<u8> {
        let name = match self.dice.below(8) {
            0 => format!("X-{name}"),
            1 => format!("{name}s"),
            2 => format!("{name}."),
            3 => name.replace('-', "_") + "_",
            // Signs that a token may have and Kamailio reads no name with, `%` or an apostrophe, are left out.
            4 => format!("X.{}", &name[1..]),
            5 => name[..name.len() - 1].to_owned() + "~",
            6 => format!("{name}-"),
            _ => format!("{name}.x"),
        };
        let word = self.word();
        let value = self.value(Kind::Listed, &word);
        self.claim(Kind::Free, &name, word);
        self.line(&name, &value)
    }

    /// A line that is no header, or that has no end of its own.
    fn slip(&mut self) -> Vec<u8> {
        self.woven.is_slip = true;
        let (kind, name) = self.dice.of(&KINDS);
        let word = self.word();
        let value = format!("<sip:{word}@h>");
        let (first, last) = name.split_at(name.len() / 2);
        let none = match self.dice.below(20) {
            0 => format!("{name}\x0b: {value}\r\n"),
            1 => format!("{name}\0: {value}\r\n"),
            2 => format!("{first}\r\n {last}: {value}\r\n"),
            3 => format!("{name} {value}\r\n").replace(':', ";"),
            4 => format!("{first} {last}: {value}\r\n"),
            5 => format!(": {value}\r\n"),
            6 => format!("\u{a0}{name}: {value}\r\n"),
            7 => format!("{name}\u{200b}: {value}\r\n"),
            8 => format!("{name}(x): {value}\r\n"),
            9 => format!("\"{name}\": {value}\r\n"),
            10 => format!("\0{name}: {value}\r\n"),
            11 => format!("\x0c{name}: {value}\r\n"),
            12 => format!("{name};x: {value}\r\n"),
            13 => format!("{name}\u{85}: {value}\r\n"),
            14 => format!("{name}/x: {value}\r\n"),
            // A line end that is none: what an emergency call is taken with is a header then.
            number => {
                let line = match number {
                    15 => format!("X-Lone: x\r{name}: {value}\r\n"),
                    16 => format!("{name}: {value}\r\r\n"),
                    17 => format!("{name}: {value}\n"),
                    18 => format!("X-Lone: x\n{name}: {value}\r\n"),
                    _ => format!("X-Lone: \"x\n{name}: {value}\"\n"),
                };
                let kind = match kind {
                    // The value is neither.
                    Kind::Device | Kind::Icon => Kind::Icon,
                    Kind::Urgent | Kind::Calm => Kind::Calm,
                    kind => kind,
                };
                self.claim(kind, name, word);
                return line.into_bytes();
            }
        };
        self.claim(Kind::Nowhere, "", word);
        none.into_bytes()
    }
}
