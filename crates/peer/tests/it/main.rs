//! Tests of bundles and decisions, in one binary.

mod bundle;
mod decide;
mod world;
