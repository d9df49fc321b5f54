//! Path patterns: `*` within a component, `**` for any number of components, `:name` at the end for a named stream.

/// A compiled pattern. Names are compared without regard to ASCII case; patterns are ASCII.
#[derive(Clone, Debug)]
pub struct Pattern {
    components: Vec<String>,
    stream: String,
    /// What every matching last component ends with: a cheap first test.
    suffix: String,
}

impl Pattern {
    /// Compiles a pattern such as `\Windows\Prefetch\*.pf` or `**:Zone.Identifier`.
    pub fn new(pattern: &str) -> Self {
        let pattern = pattern.to_ascii_lowercase();
        let (path, stream) = pattern.split_once(':').unwrap_or((&pattern, ""));
        let components: Vec<String> = split(path).map(str::to_owned).collect();
        let last = components.last().map_or("", String::as_str);
        let suffix = last.rsplit('*').next().unwrap_or_default().to_owned();
        Self { stream: stream.to_owned(), suffix, components }
    }

    /// True if the pattern means this path and stream. Both must be in lower case already (see [`folded`]).
    pub fn matches(&self, path: &str, stream: &str) -> bool {
        stream == self.stream && path.ends_with(&self.suffix) && {
            let parts: Vec<&str> = split(path).collect();
            components_match(&self.components, &parts)
        }
    }

    /// The stream that the pattern asks for, empty for the main one.
    pub fn stream(&self) -> &str {
        &self.stream
    }
}

/// A path or stream name in the form that [`Pattern::matches`] compares.
pub fn folded(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.split(['\\', '/']).filter(|c| !c.is_empty())
}

/// Matches a list of component patterns against a list of components; each is visited a bounded number of times.
pub(crate) fn components_match(pattern: &[String], parts: &[&str]) -> bool {
    let (mut p, mut c) = (0usize, 0usize);
    // Where to go on after a `**` took one component more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p).map(String::as_str), parts.get(c)) {
            (None, None) => return true,
            (Some("**"), _) => {
                retry = Some((p, c));
                p = p.saturating_add(1);
                continue;
            }
            (Some(want), Some(have)) if name_matches(want, have) => {
                p = p.saturating_add(1);
                c = c.saturating_add(1);
                continue;
            }
            _ => {}
        }
        match retry {
            Some((at, from)) if from < parts.len() => {
                let next = from.saturating_add(1);
                retry = Some((at, next));
                p = at.saturating_add(1);
                c = next;
            }
            _ => return false,
        }
    }
}

/// Matches one name against one component pattern with `*`. Both in the same case.
pub(crate) fn name_matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at.saturating_add(piece.len())..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(pattern: &str, path: &str, stream: &str) -> bool {
        Pattern::new(pattern).matches(&folded(path), &folded(stream))
    }

    #[test]
    fn one_component() {
        assert!(hit(r"\Windows\Prefetch\*.pf", r"\WINDOWS\prefetch\A.EXE-1.PF", ""));
        assert!(!hit(r"\Windows\Prefetch\*.pf", r"\Windows\Prefetch\x\A.pf", ""));
        assert!(!hit(r"\Windows\Prefetch\*.pf", r"\Old\Windows\Prefetch\A.pf", ""));
        assert!(!hit(r"\Windows\Prefetch\*.pf", r"\Windows\Prefetch\A.pf", "ads"));
    }

    #[test]
    fn any_depth() {
        for path in [r"\a.lnk", r"\x\a.lnk", r"\x\y\a.LNK"] {
            assert!(hit(r"**\*.lnk", path, ""), "{path}");
        }
        assert!(hit(r"\Users\**\Recent\*.lnk", r"\Users\a\b\Recent\Recent\x.lnk", ""));
        assert!(!hit(r"\Users\**\Recent\*.lnk", r"\Users\a\b\Recent\y\x.lnk", ""));
    }

    #[test]
    fn streams() {
        assert!(hit("**:Zone.Identifier", r"\a\b.doc", "zone.identifier"));
        assert!(!hit("**:Zone.Identifier", r"\a\b.doc", ""));
    }

    #[test]
    fn stars_inside_a_name() {
        assert!(name_matches("a*b*c", "aXbYbc"));
        assert!(!name_matches("a*b*c", "acb"));
        assert!(!name_matches("ab*b", "ab"));
        assert!(name_matches("*", ""));
    }

    /// A pattern of many `**` against a deep path must not take exponential time.
    #[test]
    fn hostile_depth_is_cheap() {
        let path = r"\a".repeat(10_000);
        assert!(!hit(r"**\a\**\a\**\a\**\b", &path, ""));
    }
}
