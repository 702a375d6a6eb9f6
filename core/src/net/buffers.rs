//! The buffers of a connection in use. An idle one has none: they would be most of what it costs.

/// They hold the largest head that we send or take.
pub(super) const SIZE: usize = 32 * 1024;

/// One for each direction; allocated when they are used first.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) output: Vec<u8>,
    pub(super) input: Input,
}

/// What has been received and not been used yet.
#[derive(Debug)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether there is something that nobody has looked at.
    news: bool,
}

impl Default for Buffers {
    fn default() -> Self {
        // One byte more than the largest head, so that a larger one can be told.
        let input = Input { bytes: vec![0; SIZE + 1], start: 0, end: 0, news: false };
        Self { output: vec![0; SIZE], input }
    }
}

impl Buffers {
    /// What is left of buffers that are given back: without room, and without a cost.
    pub(super) fn none() -> Self {
        let input = Input { bytes: Vec::new(), start: 0, end: 0, news: false };
        Self { output: Vec::new(), input }
    }
}

impl Input {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Room for more.
    pub(super) fn free(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 && self.end > self.bytes.len() / 2 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.bytes[self.end..]
    }

    pub(super) fn filled(&mut self, n: usize) {
        self.end = self.bytes.len().min(self.end + n);
        self.news |= n > 0;
    }

    pub(super) fn consumed(&mut self, n: usize) {
        self.start = self.end.min(self.start + n);
        self.news = n > 0;
    }

    /// Whether looking at it may bring something: it is more than the last time, or what was there
    /// then could be used.
    pub(super) fn has_news(&self) -> bool {
        self.news && !self.bytes().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_consumed_stays_in_order() {
        let mut input = Buffers::default().input;
        input.free()[..3].copy_from_slice(b"abc");
        input.filled(3);
        assert!(input.has_news());
        input.consumed(1);
        assert!(input.has_news());
        input.consumed(0);
        assert_eq!((input.bytes(), input.has_news()), (&b"bc"[..], false));
        // As much as fits, and once more after it was moved to the front.
        let n = input.free().len();
        input.filled(n);
        assert!(input.free().len() == 1 && input.bytes().starts_with(b"bc"));
        let all = input.bytes().len();
        input.consumed(all);
        assert_eq!(input.free().len(), SIZE + 1);
    }
}
