//! Notices, the sandbox clock and jobs: what operators see and run.
