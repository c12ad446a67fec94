//! The florin binary: configuration, wiring, telemetry, schedule and command line.
