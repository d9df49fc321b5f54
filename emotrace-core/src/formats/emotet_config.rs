//! Emotet's configuration in a program's sections: the list of its servers and its public keys.
//!
//! From about 2020 to May 2022 both lie in a block of one form:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | key, little-endian |
//! | 4 | 4 | key XOR length |
//! | 8 | length | plain bytes XOR the key's four bytes, over and over |
//!
//! The list's plain form is 8 bytes for each server: IPv4 in network order, port big-endian, and two bytes that are the same in
//! all (`00 01`). A key is either 72 bytes, `ECK1` or `ECS1`, the number 32, and a point on the curve P-256 (Windows'
//! `BCRYPT_ECCKEY_BLOB`), or 106 bytes, an RSA public key of 768 bits in DER.
//!
//! Programs on disk are packed as a rule, and then hold nothing of this in the clear. Nothing is run here.
//!
//! Sources: OALabs research notebooks 2021-11-18 and 2022-04-30; CAPE-parsers, Emotet; as facts.

/// What a block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The servers, as address and port.
    Servers(Vec<([u8; 4], u16)>),
    /// A public key on P-256: its magic (`ECK1` for key agreement, `ECS1` for signatures), X and Y.
    EccKey(String, [u8; 32], [u8; 32]),
    /// An RSA public key of 768 bits in DER.
    RsaKey(Vec<u8>),
}

/// A block and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Offset in the bytes that were searched.
    pub offset: usize,
    /// The key.
    pub key: u32,
    /// What it holds.
    pub content: Content,
}

/// How much of a section is searched.
pub const SEARCHED: usize = 64 << 10;
/// Length of an RSA key in DER.
const RSA: usize = 0x6a;
/// Length of an ECC key.
const ECC: usize = 72;
/// Fewest and most servers of a list.
const SERVERS: std::ops::RangeInclusive<usize> = 3..=125;
/// Ports that Emotet's servers were seen on.
const PORTS: &[u16] = &[20, 22, 80, 443, 4143, 7080, 8080, 8090, 8443, 50000];

/// The blocks in a section's bytes: at its beginning, and at every fourth byte of the first 64 KiB.
pub fn find(section: &[u8]) -> Vec<Block> {
    let mut found = Vec::new();
    let mut at = 0usize;
    while at < section.len().min(SEARCHED) {
        let mut next = at.saturating_add(4);
        if let Some((key, plain)) = unwrap(section.get(at..).unwrap_or_default())
            && let Some(content) = classify(&plain)
        {
            next = at.saturating_add(8).saturating_add(plain.len()).next_multiple_of(4);
            found.push(Block { offset: at, key, content });
        }
        at = next;
    }
    found
}

/// Decodes the block at the beginning of the bytes, if its length is one that is looked for.
fn unwrap(bytes: &[u8]) -> Option<(u32, Vec<u8>)> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let (key, wrapped) = (word(0)?, word(4)?);
    let len = usize::try_from(key ^ wrapped).ok()?;
    let list = len.is_multiple_of(8) && SERVERS.contains(&(len >> 3));
    if key == 0 || !(list || len == ECC || len == RSA) {
        return None;
    }
    let data = bytes.get(8..)?.get(..len)?;
    Some((key, data.iter().zip(key.to_le_bytes().iter().cycle()).map(|(byte, key)| byte ^ key).collect()))
}

fn classify(plain: &[u8]) -> Option<Content> {
    match plain.len() {
        ECC if plain.starts_with(b"ECK1") || plain.starts_with(b"ECS1") => ecc(plain),
        RSA => rsa(plain),
        _ => servers(plain),
    }
}

fn ecc(plain: &[u8]) -> Option<Content> {
    if plain.get(4..8)? != 32u32.to_le_bytes() {
        return None;
    }
    let x: [u8; 32] = plain.get(8..40)?.try_into().ok()?;
    let y: [u8; 32] = plain.get(40..72)?.try_into().ok()?;
    let magic = String::from_utf8_lossy(plain.get(..4)?).into_owned();
    p256::holds(&x, &y).then_some(Content::EccKey(magic, x, y))
}

/// SEQUENCE { INTEGER modulus of 768 bits, INTEGER 65537 }.
fn rsa(plain: &[u8]) -> Option<Content> {
    let head = [0x30, 0x68, 0x02, 0x61, 0x00];
    let tail = [0x02, 0x03, 0x01, 0x00, 0x01];
    let modulus = plain.get(5..101)?;
    (plain.starts_with(&head) && plain.ends_with(&tail) && modulus.first()? & 0x80 != 0)
        .then(|| Content::RsaKey(plain.to_vec()))
}

fn servers(plain: &[u8]) -> Option<Content> {
    let mut list = Vec::new();
    let tail = plain.get(6..8)?;
    for entry in plain.as_chunks::<8>().0 {
        let [a, b, c, d, high, low, x, y] = *entry;
        if [x, y] != tail {
            return None;
        }
        list.push(([a, b, c, d], u16::from_be_bytes([high, low])));
    }
    let public = list.iter().filter(|(address, _)| is_public(*address)).count();
    let known = list.iter().filter(|(_, port)| PORTS.contains(port)).count();
    let ports = list.iter().all(|(_, port)| *port != 0);
    let distinct = list.iter().map(|(address, _)| address).collect::<std::collections::BTreeSet<_>>().len();
    // Nine of ten are public, half of the ports are known, and no address stands there over and over.
    let fits = ports
        && tail == [0, 1]
        && public.saturating_mul(10) >= list.len().saturating_mul(9)
        && known.saturating_mul(2) >= list.len()
        && distinct.saturating_mul(2) >= list.len();
    fits.then_some(Content::Servers(list))
}

/// True for an address that is given to one host and not set aside for private use.
const fn is_public(address: [u8; 4]) -> bool {
    !matches!(
        address,
        [0 | 10 | 127 | 224..=255, ..] | [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..]
    )
}

/// Arithmetic of the curve's field, as much as the curve's equation needs.
mod p256 {
    /// Least significant limb first.
    type Limbs = [u64; 4];
    const P: Limbs = [0xffff_ffff_ffff_ffff, 0x0000_0000_ffff_ffff, 0, 0xffff_ffff_0000_0001];
    const B: Limbs = [0x3bce_3c3e_27d2_604b, 0x651d_06b0_cc53_b0f6, 0xb3eb_bd55_7698_86bc, 0x5ac6_35d8_aa3a_93e7];

    fn limbs(bytes: &[u8; 32]) -> Limbs {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_be_bytes(*chunk);
        }
        limbs
    }

    fn less(a: &Limbs, b: &Limbs) -> bool {
        a.iter().rev().lt(b.iter().rev())
    }

    /// a − b, with the borrow.
    fn subtract(a: &Limbs, b: &Limbs) -> Limbs {
        let (mut result, mut borrow) = ([0; 4], false);
        for ((r, a), b) in result.iter_mut().zip(a).zip(b) {
            let (first, one) = a.overflowing_sub(*b);
            let (second, two) = first.overflowing_sub(u64::from(borrow));
            (*r, borrow) = (second, one || two);
        }
        result
    }

    /// a + b modulo p, for both below p.
    fn add(a: &Limbs, b: &Limbs) -> Limbs {
        let (mut sum, mut carry) = ([0; 4], false);
        for ((s, a), b) in sum.iter_mut().zip(a).zip(b) {
            let (first, one) = a.overflowing_add(*b);
            let (second, two) = first.overflowing_add(u64::from(carry));
            (*s, carry) = (second, one || two);
        }
        if carry || !less(&sum, &P) { subtract(&sum, &P) } else { sum }
    }

    /// a × b modulo p, by doubling and adding.
    fn multiply(a: &Limbs, b: &Limbs) -> Limbs {
        let mut result = [0; 4];
        for limb in b.iter().rev() {
            for bit in (0..64u32).rev() {
                result = add(&result, &result);
                if limb.wrapping_shr(bit) & 1 == 1 {
                    result = add(&result, a);
                }
            }
        }
        result
    }

    /// True if y² = x³ − 3x + b.
    pub(super) fn holds(x: &[u8; 32], y: &[u8; 32]) -> bool {
        let (x, y) = (limbs(x), limbs(y));
        if !less(&x, &P) || !less(&y, &P) {
            return false;
        }
        let cube = multiply(&multiply(&x, &x), &x);
        let three = add(&add(&x, &x), &x);
        add(&multiply(&y, &y), &three) == add(&cube, &B)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn wrap(plain: &[u8], key: u32) -> Vec<u8> {
        let mut bytes = key.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(key ^ plain.len() as u32).to_le_bytes());
        bytes.extend(plain.iter().zip(key.to_le_bytes().iter().cycle()).map(|(a, k)| a ^ k));
        bytes
    }

    /// Witness: a block made by an independent program in another language; addresses are for documentation (RFC 5737).
    #[test]
    fn a_list_of_servers() {
        let block = hex("e9c3175af1c3175a29c31550f653175b2ff0735de878175b22c36639f26b175b");
        let found = find(&block);
        let expected = vec![([192, 0, 2, 10], 8080), ([198, 51, 100, 7], 443), ([203, 0, 113, 99], 7080)];
        assert_eq!(found, [Block { offset: 0, key: 0x5a17_c3e9, content: Content::Servers(expected) }]);
        let behind = [vec![0x90; 12], block.clone()].concat();
        assert_eq!(find(&behind)[0].offset, 12);
        let mut odd = vec![1];
        odd.extend(block);
        assert_eq!(find(&odd), [], "blocks stand at every fourth byte");
    }

    /// Published public keys of the fifth epoch; both are points on the curve.
    #[test]
    fn keys() {
        let x = "d83593d7638b50c5dfcde169f9b136009b9b543b1636a25d442eb23830d84736";
        let y = "2eb8d2f48b6ac8d84c7a45441a06fa8f38bedafb00969c842cce1e3680245096";
        let mut plain = b"ECK1\x20\0\0\0".to_vec();
        plain.extend(hex(x));
        plain.extend(hex(y));
        let found = find(&wrap(&plain, 0x0102_0304));
        assert!(
            matches!(&found[0].content, Content::EccKey(magic, found_x, _) if magic == "ECK1" && found_x.to_vec() == hex(x))
        );
        plain[71] ^= 1;
        assert_eq!(find(&wrap(&plain, 0x0102_0304)), [], "no point of the curve");
        let mut rsa = hex("3068026100");
        rsa.extend([0xa5; 96]);
        rsa.extend(hex("0203010001"));
        assert!(matches!(find(&wrap(&rsa, 7))[0].content, Content::RsaKey(_)));
    }

    #[test]
    fn innocent_bytes() {
        assert_eq!(find(&[0; 4096]), []);
        assert_eq!(find(&[0xff; 4096]), []);
        let private: Vec<u8> = (0..10).flat_map(|i| [10, 0, 0, i, 0x1f, 0x90, 0, 1]).collect();
        assert_eq!(find(&wrap(&private, 99)), []);
        let mut seed = 3u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        let noise: Vec<u8> = (0..SEARCHED).map(|_| next()).collect();
        assert_eq!(find(&noise), []);
    }
}
