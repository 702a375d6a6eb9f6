"""Claims about a file, and how to break each of them, for scripts/verify-android."""


class Claims:
    """Functions that yield what speaks against a subject. Behind each is how to break it, and a
    piece of what it must say then."""

    def __init__(self):
        self.claims = []
        self.breaks = []

    def claim(self, function):
        self.claims.append(function)
        return function

    def broken(self, message):
        """Of the claim before it, by a function that spoils a subject."""
        def register(spoil):
            self.breaks.append((self.claims[-1], message, spoil))
        return register

    def problems(self, subject):
        return [problem for claim in self.claims for problem in claim(subject)]

    def self_test(self, read):
        """Breaks each claim in a subject of its own."""
        for claim, message, spoil in self.breaks:
            subject = read()
            spoil(subject)
            if not any(message in problem for problem in claim(subject)):
                yield f"{claim.__name__} does not say: {message}"
