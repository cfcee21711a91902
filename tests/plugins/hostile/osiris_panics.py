"""It raises what is no Exception, as a Rust extension does when it panics."""


class PanicException(BaseException):
    pass


raise PanicException("called `Option::unwrap()` on a `None` value")
