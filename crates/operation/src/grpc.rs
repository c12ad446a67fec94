//! Handlers: parse, one call, render.

pub(crate) mod approval;
pub(crate) mod clock;
pub(crate) mod notice;
