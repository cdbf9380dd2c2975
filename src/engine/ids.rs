//! Randomness as an argument: branches, tags and their seeds.

/// A generator of identifiers, one a worker. Seeded from the operating system in service and from the test's seed in
/// simulation.
#[derive(Clone, Debug)]
pub struct Ids {
    state: [u64; 2],
}

impl Ids {
    /// A generator from two seeds; equal seeds repeat.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut state = [mix(seed), mix(stream ^ 0x9e37_79b9_7f4a_7c15)];
        if state == [0, 0] {
            state[0] = 1;
        }
        Self { state }
    }

    /// The next 64 bits (xoroshiro128+).
    pub fn next_u64(&mut self) -> u64 {
        let [s0, mut s1] = self.state;
        let out = s0.wrapping_add(s1);
        s1 ^= s0;
        self.state = [s0.rotate_left(24) ^ s1 ^ (s1 << 16), s1.rotate_left(37)];
        out
    }

    /// 16 hexadecimal digits, as branches and tags carry them.
    pub fn next_hex(&mut self) -> [u8; 16] {
        let mut bits = self.next_u64();
        let mut text = [0; 16];
        for digit in &mut text {
            let nibble = (bits & 15) as u8;
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            bits >>= 4;
        }
        text
    }
}

/// 128 bits as 32 hexadecimal digits.
#[must_use]
pub fn hex(bits: u128) -> [u8; 32] {
    let mut text = [0; 32];
    let mut left = bits;
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(left & 15) as usize];
        left >>= 4;
    }
    text
}

/// Reads what [`hex`] wrote; `None` for anything else.
#[must_use]
pub fn from_hex(text: &[u8]) -> Option<u128> {
    let digit = |bits: u128, octet: &u8| Some(bits << 4 | u128::from(char::from(*octet).to_digit(16)?));
    text.iter().try_fold(0, digit).filter(|_| text.len() == 32)
}

fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_back_from_their_digits() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(from_hex(&hex(bits)), Some(bits));
        }
        for text in [&b""[..], b"5001", b"0123456789abcdef0123456789abcdeg", b"0123456789abcdef0123456789abcdef0"] {
            assert_eq!(from_hex(text), None);
        }
    }

    #[test]
    fn equal_seeds_repeat_and_others_differ() {
        let (mut a, mut b, mut c) = (Ids::new(1, 2), Ids::new(1, 2), Ids::new(1, 3));
        let first = a.next_hex();
        assert_eq!(first, b.next_hex());
        assert_ne!(first, c.next_hex());
        assert_ne!(first, a.next_hex());
        assert!(first.iter().all(u8::is_ascii_hexdigit));
    }
}
