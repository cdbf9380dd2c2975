//! How many phones and EMCC devices a cluster carries (L-27).

/// Devices a cluster carries at most.
pub const PHONES_MAX: u32 = 60_000;

/// What an EMCC login costs against [`PHONES_MAX`]: the base device and the device built from it are both records (L-5).
const RECORDS_PER_EMCC_DEVICE: u32 = 2;

/// EMCC devices that fit beside `phones`; 0 when the phones alone are too many.
#[must_use]
pub const fn emcc_devices_max(phones: u32) -> u32 {
    PHONES_MAX.saturating_sub(phones) / RECORDS_PER_EMCC_DEVICE
}

/// Whether a cluster carries these: phones + 2 x EMCC devices is at most [`PHONES_MAX`].
#[must_use]
pub const fn fits(phones: u32, emcc_devices: u32) -> bool {
    phones.saturating_add(emcc_devices.saturating_mul(RECORDS_PER_EMCC_DEVICE)) <= PHONES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_emcc_device_counts_twice() {
        for (phones, emcc_devices, want) in [
            (0, 30_000, true),
            (0, 30_001, false),
            (60_000, 0, true),
            (59_999, 1, false),
            (59_998, 1, true),
            (60_001, 0, false),
            (u32::MAX, u32::MAX, false),
        ] {
            assert_eq!(fits(phones, emcc_devices), want, "{phones} phones, {emcc_devices} EMCC devices");
        }
    }

    proptest! {
        #[test]
        fn as_many_as_fit_and_no_more(phones in 0u32..=PHONES_MAX) {
            let max = emcc_devices_max(phones);
            prop_assert!(fits(phones, max) && !fits(phones, max + 1));
        }
    }
}
