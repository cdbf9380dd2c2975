//! What besets a node from outside: connections that say nothing, messages that never end, and more requests than anybody
//! asked for. See [`arguments::USAGE`].

mod arguments;
mod flood;
#[allow(dead_code)] // shared with the load, which looks at more of a message
#[path = "../../read.rs"]
mod read;
mod streams;
#[allow(dead_code)] // shared with the load, which takes datagrams in batches
#[path = "../../system.rs"]
mod system;

use std::process::ExitCode;

use arguments::{Kind, Siege, USAGE};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some(siege) = Siege::read(words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    system::prepare();
    let report = match siege.kind {
        Kind::Idle => streams::idle(&siege),
        Kind::Promise => streams::promise(&siege),
        Kind::Flood => flood::flood(&siege),
    };
    match report {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("siege: from {}: {error}", siege.from);
            ExitCode::from(3)
        }
    }
}
