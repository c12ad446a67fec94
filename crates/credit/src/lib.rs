//! Credit orders, campaigns and codes, lots and their append-only movements.
