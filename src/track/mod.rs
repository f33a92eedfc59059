//! what is known to have happened: journal, register, checkpoint.
