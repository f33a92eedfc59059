//! bytes -> valid statements: stage, map, split, parse, validate, settle.
