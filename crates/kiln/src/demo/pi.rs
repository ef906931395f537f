//! Digits of pi by Machin's formula, pi = 16 arctan(1/5) - 4 arctan(1/239), in fixed-point numbers of base 10⁹.

const BASE: u64 = 1_000_000_000;
const BASE_DIGITS: usize = 9;
/// Computed beyond what is asked, so that the errors of some ten thousand truncated terms stay out of sight.
const GUARD_LIMBS: usize = 3;

/// `3.14…` with `n` digits in all, the last one rounded; `n` is at least 1.
pub fn digits(n: usize) -> String {
    let n_limbs = n.div_ceil(BASE_DIGITS) + GUARD_LIMBS;
    let mut pi = arctan_of_inverse(5, 16, n_limbs);
    subtract(&mut pi, &arctan_of_inverse(239, 4, n_limbs), 0);
    let mut text = pi[0].to_string();
    for limb in &pi[1..] {
        text.push_str(&format!("{limb:09}"));
    }
    let mut text = rounded(text, n);
    if 1 < n {
        text.insert(1, '.');
    }
    text
}

/// `factor * arctan(1/x)`: the whole part, then fractions of base 10⁹.
fn arctan_of_inverse(x: u64, factor: u64, n_limbs: usize) -> Vec<u64> {
    // factor/x, factor/x³, factor/x⁵, …
    let mut power = vec![0; n_limbs + 1];
    power[0] = factor;
    divide(&mut power, x, 0);
    let mut sum = power.clone();
    let mut term = power.clone();
    let mut odd = 1;
    // Limbs before this one have become zero.
    let mut first = 0;
    loop {
        divide(&mut power, x * x, first);
        first += power[first..].iter().take_while(|limb| **limb == 0).count();
        if power.len() == first {
            return sum;
        }
        odd += 2;
        term.copy_from_slice(&power);
        divide(&mut term, odd, first);
        let is_negative = odd % 4 == 3;
        if is_negative {
            subtract(&mut sum, &term, first);
        } else {
            add(&mut sum, &term, first);
        }
    }
}

/// Divides what stands from limb `first` on; before it are zeros.
fn divide(number: &mut [u64], divisor: u64, first: usize) {
    let mut remainder = 0;
    for limb in &mut number[first..] {
        let dividend = remainder * BASE + *limb;
        *limb = dividend / divisor;
        remainder = dividend % divisor;
    }
}

/// Adds a term that is zero before limb `first`.
fn add(sum: &mut [u64], term: &[u64], first: usize) {
    let mut carry = 0;
    for i in (0..sum.len()).rev() {
        if i < first && carry == 0 {
            return;
        }
        let value = sum[i] + term[i] + carry;
        carry = value / BASE;
        sum[i] = value % BASE;
    }
}

/// Subtracts a smaller term that is zero before limb `first`.
fn subtract(sum: &mut [u64], term: &[u64], first: usize) {
    let mut borrow = 0;
    for i in (0..sum.len()).rev() {
        if i < first && borrow == 0 {
            return;
        }
        let taken = term[i] + borrow;
        borrow = u64::from(sum[i] < taken);
        sum[i] = sum[i] + borrow * BASE - taken;
    }
}

/// The first `n` digits, rounded by what follows. The first digit of pi is no 9, so there is room for a carry.
fn rounded(mut digits: String, n: usize) -> String {
    let rest = digits.split_off(n);
    let round_up = rest.starts_with(['5', '6', '7', '8', '9']);
    if !round_up {
        return digits;
    }
    let nines = digits.bytes().rev().take_while(|digit| *digit == b'9').count();
    digits.truncate(n - nines);
    let last = digits.pop().and_then(|digit| digit.to_digit(10)).unwrap_or(0);
    digits.push_str(&(last + 1).to_string());
    digits.push_str(&"0".repeat(nines));
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFTY: &str = "3.1415926535897932384626433832795028841971693993751";

    #[test]
    fn the_last_digit_is_rounded_as_perl_does() {
        for (n, expect) in [
            (1, "3"),
            (2, "3.1"),
            (5, "3.1416"),
            (10, "3.141592654"),
            (50, FIFTY),
            // Digits 32 and 33 after the point are 50: a trailing zero stays.
            (33, "3.14159265358979323846264338327950"),
        ] {
            assert_eq!(digits(n), expect, "{n}");
        }
    }

    #[test]
    fn six_nines_stand_where_feynman_wanted_to_stop() {
        let text = digits(800);
        assert_eq!(&text[2 + 761..2 + 767], "999999");
        // Rounding within the nines carries through them.
        assert_eq!(digits(764), format!("{}500", &text[..762]));
    }

    #[test]
    fn an_independent_method_agrees() {
        let text = digits(1000).replace('.', "");
        // The spigot truncates where we round: compare without the last digit.
        assert_eq!(text[..999], spigot(1010)[..999]);
    }

    /// Rabinowitz and Wagon's spigot: small integers only, one digit at a time.
    fn spigot(n: usize) -> String {
        let length = n * 10 / 3 + 1;
        let mut state = vec![2u64; length];
        let mut out = String::new();
        let mut held: Option<u64> = None;
        let mut nines = 0;
        for _ in 0..n + 5 {
            let mut carry = 0;
            for i in (0..length).rev() {
                let value = state[i] * 10 + carry;
                let divisor = if i == 0 { 10 } else { 2 * i as u64 + 1 };
                state[i] = value % divisor;
                carry = value / divisor * if i == 0 { 1 } else { i as u64 };
            }
            match carry {
                9 => nines += 1,
                10 => {
                    out.push_str(&(held.unwrap() + 1).to_string());
                    out.push_str(&"0".repeat(nines));
                    (held, nines) = (Some(0), 0);
                }
                digit => {
                    out.extend(held.map(|held| held.to_string()));
                    out.push_str(&"9".repeat(nines));
                    (held, nines) = (Some(digit), 0);
                }
            }
        }
        out
    }
}
