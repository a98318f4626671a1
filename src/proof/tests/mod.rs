//! Tests of the proofs against vectors and against other implementations.
