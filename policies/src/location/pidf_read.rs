//! PIDF-LO, octets to a place.
//!
//! Which place counts where a document has several: that of the first device that has one, else of the first tuple, else
//! of the first person (RFC 5491 section 3.4, rule 8), else one that stands in none of them. Within one of these, and
//! within one civic address, what comes first counts.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use smallvec::SmallVec;

use super::pidf::{
    Conveyed, PIDF_BYTES_MAX, PidfError, PidfWrong, XML_DEPTH_MAX, XML_NAMES_MAX, is_xml, namespace as ns,
};
use super::{Field, Geolocation};

/// Reads a document.
///
/// # Errors
/// What stands in the way, and where.
pub fn read(octets: &[u8]) -> Result<Conveyed, PidfError> {
    let wrong = |at, what| PidfError { at, what };
    if octets.len() > PIDF_BYTES_MAX {
        return Err(wrong(PIDF_BYTES_MAX, PidfWrong::TooLong));
    }
    let text = std::str::from_utf8(octets).map_err(|error| wrong(error.valid_up_to(), PidfWrong::NotText))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((at, _)) = text.char_indices().find(|(_, letter)| !is_xml(*letter)) {
        return Err(wrong(at, PidfWrong::NotText));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut document = Document::default();
    loop {
        let at = offset(reader.buffer_position());
        let event = reader.read_event().map_err(|_| wrong(offset(reader.error_position()), PidfWrong::NotXml))?;
        if document.hear(event).map_err(|what| wrong(at, what))? {
            return document.counts().ok_or(wrong(at, PidfWrong::NoCivicAddress));
        }
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// What an element is, by its name, its namespace and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Presence,
    Holder(Holder),
    Geopriv,
    LocationInfo,
    Civic,
    Part(Part),
    Capabilities,
    Gateway,
    Other,
}

/// What a location can be of, the one that counts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Device,
    Tuple,
    Person,
    /// The document itself.
    Nobody,
}

/// A field of a civic address, or one of RFC 5139 that is mapped (G-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Field(Field),
    /// RD: the street, where A6 has none.
    Road,
    /// ROOM, UNIT and BLD, in the order they are put behind LOC.
    Inside(usize),
}

/// A document while it is read.
#[derive(Default)]
struct Document {
    /// The open elements, each with the namespaces in force outside it.
    open: SmallVec<[(Element, usize); XML_DEPTH_MAX]>,
    /// Prefixes and what they stand for; the last one counts.
    names: SmallVec<[(Box<str>, Box<str>); 8]>,
    /// A root came.
    is_begun: bool,
    /// Text of the field that is open.
    text: String,
    civic: Civic,
    /// Place and kind of the holder that is open.
    place: Option<Geolocation>,
    is_gateway: Option<bool>,
    /// The first place of each holder, by its rank.
    found: [Option<Conveyed>; 4],
}

/// A civic address while it is read.
#[derive(Default)]
struct Civic {
    location: Geolocation,
    road: Option<String>,
    inside: [Option<String>; 3],
}

impl Document {
    /// Takes one event; whether it was the end.
    fn hear(&mut self, event: Event<'_>) -> Result<bool, PidfWrong> {
        match event {
            Event::Start(start) => self.open(&start)?,
            Event::End(_) => self.close(),
            Event::Text(text) => self.add(&text.xml10_content())?,
            Event::CData(text) => self.add(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let letter = referred(&reference)?;
                self.add(letter.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(PidfWrong::DocType),
            Event::Eof if self.open.is_empty() && self.is_begun => return Ok(true),
            Event::Eof => return Err(PidfWrong::NotXml),
            // With `expand_empty_elements` no element comes as empty.
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        Ok(false)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), PidfWrong> {
        if self.open.is_empty() && self.is_begun {
            return Err(PidfWrong::NotXml);
        }
        if self.open.len() == XML_DEPTH_MAX {
            return Err(PidfWrong::TooDeep);
        }
        let outside = self.names.len();
        self.declare(start)?;
        let (local, prefix) = start.name().decompose();
        let prefix = prefix.map(|prefix| prefix.into_inner()).unwrap_or_default();
        let bound = self.names.iter().rfind(|(name, _)| **name == *prefix).map(|(_, uri)| &**uri);
        let namespace = match bound {
            Some(uri) => uri,
            None if prefix.is_empty() => "",
            None => return Err(PidfWrong::UndeclaredPrefix),
        };
        let element = self.classify(namespace, local.into_inner());
        if self.open.is_empty() && element != Element::Presence {
            return Err(PidfWrong::NotPresence);
        }
        match element {
            Element::Part(_) | Element::Gateway => self.text.clear(),
            Element::Civic => self.civic = Civic::default(),
            // What stood beside it is not its own.
            Element::Holder(_) => self.keep(Holder::Nobody),
            _ => {}
        }
        self.is_begun = true;
        self.open.push((element, outside));
        Ok(())
    }

    /// Takes the namespaces an element declares. White space around them is not theirs (G-14).
    fn declare(&mut self, start: &BytesStart<'_>) -> Result<(), PidfWrong> {
        for (count, attribute) in start.attributes().enumerate() {
            if count == XML_NAMES_MAX {
                return Err(PidfWrong::TooManyNames);
            }
            let attribute = attribute.map_err(|_| PidfWrong::NotXml)?;
            let key = attribute.key.into_inner();
            let Some(prefix) = key.strip_prefix("xmlns:").or((key == "xmlns").then_some("")) else { continue };
            if self.names.len() == XML_NAMES_MAX {
                return Err(PidfWrong::TooManyNames);
            }
            let uri = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| PidfWrong::UnknownEntity)?;
            self.names.push((prefix.into(), uri.trim().into()));
        }
        Ok(())
    }

    fn classify(&self, namespace: &str, local: &str) -> Element {
        let Some((outer, _)) = self.open.last() else {
            return if (namespace, local) == (ns::PRESENCE, "presence") { Element::Presence } else { Element::Other };
        };
        let is_within = |element| self.open.iter().any(|(open, _)| *open == element);
        match (namespace, local, *outer) {
            (ns::DATA_MODEL, "device", Element::Presence) => Element::Holder(Holder::Device),
            (ns::PRESENCE, "tuple", Element::Presence) => Element::Holder(Holder::Tuple),
            (ns::DATA_MODEL, "person", Element::Presence) => Element::Holder(Holder::Person),
            (ns::GEOPRIV, "geopriv", _) => Element::Geopriv,
            (ns::GEOPRIV, "location-info", _) if is_within(Element::Geopriv) => Element::LocationInfo,
            (ns::CIVIC_4119 | ns::CIVIC_5139, "civicAddress", _) if is_within(Element::LocationInfo) => Element::Civic,
            (ns::CIVIC_4119 | ns::CIVIC_5139, name, Element::Civic) => {
                Part::named(name).map_or(Element::Other, Element::Part)
            }
            (ns::CAPABILITIES, "devcaps", _) => Element::Capabilities,
            (_, "gateway", Element::Capabilities) => Element::Gateway,
            _ => Element::Other,
        }
    }

    /// Text of the element that is open; beside the root there may be white space alone.
    fn add(&mut self, text: &str) -> Result<(), PidfWrong> {
        match self.open.last() {
            Some((Element::Part(_) | Element::Gateway, _)) => self.text.push_str(text),
            Some(_) => {}
            None if text.trim().is_empty() => {}
            None => return Err(PidfWrong::NotXml),
        }
        Ok(())
    }

    fn close(&mut self) {
        let Some((element, outside)) = self.open.pop() else { return };
        self.names.truncate(outside);
        match element {
            Element::Part(part) => self.civic.set(part, &self.text),
            Element::Civic => {
                let location = std::mem::take(&mut self.civic).location();
                if self.place.is_none() && !location.is_blank() {
                    self.place = Some(location);
                }
            }
            Element::Gateway => {
                self.is_gateway = match self.text.trim() {
                    "true" | "1" => Some(true),
                    "false" | "0" => Some(false),
                    _ => None,
                }
                .or(self.is_gateway);
            }
            Element::Holder(holder) => self.keep(holder),
            Element::Presence => self.keep(Holder::Nobody),
            Element::Geopriv | Element::LocationInfo | Element::Capabilities | Element::Other => {}
        }
    }

    /// A holder ends: what it had is kept where it is the first of its kind.
    fn keep(&mut self, holder: Holder) {
        let is_gateway = self.is_gateway.take();
        if let Some(location) = self.place.take()
            && let Some(first) = self.found.get_mut(holder as usize)
        {
            first.get_or_insert(Conveyed { location, is_gateway });
        }
    }

    /// The place that counts.
    fn counts(self) -> Option<Conveyed> {
        self.found.into_iter().flatten().next()
    }
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        match name {
            "RD" => Some(Self::Road),
            "ROOM" => Some(Self::Inside(0)),
            "UNIT" => Some(Self::Inside(1)),
            "BLD" => Some(Self::Inside(2)),
            _ => Field::named(name).map(Self::Field),
        }
    }
}

impl Civic {
    fn set(&mut self, part: Part, text: &str) {
        let first = |place: &mut Option<String>| {
            if place.is_none() && !text.trim().is_empty() {
                *place = Some(text.trim().to_owned());
            }
        };
        match part {
            Part::Field(field) if self.location.get(field).is_none() => self.location.set(field, text),
            Part::Field(_) => {}
            Part::Road => first(&mut self.road),
            Part::Inside(place) => {
                if let Some(place) = self.inside.get_mut(place) {
                    first(place);
                }
            }
        }
    }

    /// The seventeen fields it comes to (G-18).
    fn location(self) -> Geolocation {
        let mut location = self.location;
        if let Some(road) = self.road.filter(|_| location.get(Field::A6).is_none()) {
            location.set(Field::A6, &road);
        }
        for more in self.inside.iter().flatten() {
            let text = match location.get(Field::Loc) {
                Some(text) => format!("{text} {more}"),
                None => more.clone(),
            };
            location.set(Field::Loc, &text);
        }
        location
    }
}

/// The character a reference stands for: by number, or one of the five names XML has.
fn referred(reference: &BytesRef<'_>) -> Result<char, PidfWrong> {
    let letter = match reference.resolve_char_ref() {
        Ok(Some(letter)) => Some(letter).filter(|letter| is_xml(*letter)),
        Ok(None) => match reference.xml10_content().as_ref() {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => None,
        },
        Err(_) => None,
    };
    letter.ok_or(PidfWrong::UnknownEntity)
}
