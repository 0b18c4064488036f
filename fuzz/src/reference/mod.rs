//! The rules once more, written slowly and without a look at the library: what it does is compared
//! with what these say. They get all of the input at once, copy as they like and keep no state, so
//! that they can't have the mistakes of a parser that is fast and takes its input in pieces.

pub(crate) mod authority;
pub(crate) mod body;
pub(crate) mod frames;
pub(crate) mod hash;
pub(crate) mod head;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod values;

#[cfg(test)]
mod tests;
