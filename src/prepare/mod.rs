//! compose, encrypt, sign, seal: CPU only.
