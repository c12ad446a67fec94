//! Projects, catalogue, resources, usage and rating.
