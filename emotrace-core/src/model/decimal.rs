//! Decimal numbers for outputs of a million rows, where the standard library's formatting takes most of a row's time.

/// A number's decimal digits.
pub(crate) struct Decimal {
    digits: [u8; 20],
    first: usize,
}

impl Decimal {
    pub(crate) fn new(number: u64) -> Self {
        let mut this = Self { digits: [0; 20], first: 0 };
        let mut rest = number;
        // 20 digits hold every number.
        for (place, digit) in this.digits.iter_mut().enumerate().rev() {
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            this.first = place;
            if rest == 0 {
                break;
            }
        }
        this
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.first..).unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_standard_library_writes_them() {
        let powers = (0..20).map(|n| 10u64.pow(n));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(9)]);
        for number in edges.chain([u64::from(u32::MAX), u64::MAX - 1, u64::MAX]) {
            assert_eq!(Decimal::new(number).as_str(), number.to_string());
        }
    }
}
