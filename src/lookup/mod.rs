//! who has a mailbox and where: FaR isReachable.
