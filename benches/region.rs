//! Region policy on an offer of ten codecs: filtered by the pair's cap, and only ordered under a high one; and how it grows
//! from two codecs to sixty.
#![allow(missing_docs)] // the macros of criterion make public items

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use emcc_policies::region::{Allowed, Region, Role, Trail, VariableRate};

/// A phone's offer of ten codecs and tones, with video, as its descriptions come.
const OFFER: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\n\
    b=AS:2000\r\nt=0 0\r\nm=audio 20000 RTP/AVP 114 9 108 100 116 102 0 8 18 97 101\r\n\
    a=rtpmap:114 opus/48000/2\r\na=fmtp:114 maxplaybackrate=16000;useinbandfec=1\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:108 isac/16000\r\na=rtpmap:100 AMR-WB/16000\r\na=fmtp:100 mode-set=0,1,2\r\n\
    a=rtpmap:116 G7221/16000\r\na=fmtp:116 bitrate=32000\r\na=rtpmap:102 AMR/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:97 iLBC/8000\r\n\
    a=fmtp:97 mode=20\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n\
    m=video 20002 RTP/AVP 126\r\nb=TIAS:2000000\r\na=rtpmap:126 H264/90000\r\n\
    a=fmtp:126 profile-level-id=42801F;packetization-mode=1\r\n";

/// The lines that speak of ten codecs; the first is within every cap.
const CODECS: [&str; 10] = [
    "a=rtpmap:{} G729/8000\r\na=fmtp:{} annexb=no\r\n",
    "a=rtpmap:{} iLBC/8000\r\na=fmtp:{} mode=20\r\n",
    "a=rtpmap:{} opus/48000/2\r\na=fmtp:{} maxplaybackrate=16000;useinbandfec=1\r\n",
    "a=rtpmap:{} G722/8000\r\n",
    "a=rtpmap:{} isac/16000\r\n",
    "a=rtpmap:{} AMR-WB/16000\r\na=fmtp:{} mode-set=0,1,2\r\n",
    "a=rtpmap:{} G7221/16000\r\na=fmtp:{} bitrate=32000\r\n",
    "a=rtpmap:{} AMR/8000\r\n",
    "a=rtpmap:{} PCMU/8000\r\n",
    "a=rtpmap:{} PCMA/8000\r\n",
];

/// An offer of so many codecs, those ten in turn, each under a payload type of its own, and tones.
fn offer_of(codecs: usize) -> String {
    let numbers = || (35..).take(codecs).map(|number: usize| number.to_string());
    let lines = CODECS.iter().cycle().zip(numbers()).map(|(line, number)| line.replace("{}", &number));
    format!(
        "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP {} 101\r\n{}a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n",
        numbers().collect::<Vec<_>>().join(" "),
        lines.collect::<String>(),
    )
}

fn applying(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("region");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let wide = Region { audio_kbps: 510, variable_rate: VariableRate::Bound, ..Region::default() };
    let caps = [("filter at 8 kbit/s", Region::default()), ("order at 510 kbit/s", wide)];
    let growing = [2, 4, 8, 16, 32, 60].map(|codecs| (Some(codecs), offer_of(codecs)));
    for (codecs, offer) in [(None, OFFER.to_owned())].into_iter().chain(growing) {
        for (what, region) in &caps {
            let (mut out, mut trail) = (Vec::with_capacity(8_192), Trail::new());
            group.throughput(Throughput::Bytes(offer.len() as u64));
            let id = codecs.map_or(BenchmarkId::from_parameter(what), |codecs| BenchmarkId::new(*what, codecs));
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    out.clear();
                    trail.clear();
                    let offer = black_box(offer.as_bytes());
                    let shaped = region.apply(offer, Role::Offer, Allowed::AudioAndVideo, &mut trail, &mut out);
                    assert!(shaped.is_ok_and(|shaped| shaped.audio_streams == 1));
                    out.len()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, applying);
criterion_main!(benches);
