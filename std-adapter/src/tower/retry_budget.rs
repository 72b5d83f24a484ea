//! `GrantedRetry`: a retry that a circuit's retry budget has granted.

use super::service_circuit::ServiceCircuit;

/// A retry that the budget has granted. Dropped before [`GrantedRetry::make`] it goes back.
#[derive(Debug)]
pub(super) struct GrantedRetry {
    circuit: ServiceCircuit,
    made: bool,
}

impl GrantedRetry {
    /// Takes a retry from the budget; `None` when it has none left. Without a budget every retry is granted.
    pub(super) fn withdraw(circuit: &ServiceCircuit) -> Option<Self> {
        let limiter = circuit.limiter();
        let made = match &limiter.policy().retry_budget {
            Some(policy) => {
                limiter.parts().retry_budget().try_withdraw(policy, circuit.now()).ok()?;
                false
            }
            None => true, // nothing was taken
        };
        Some(Self { circuit: circuit.clone(), made })
    }

    /// The retry begins: it is used up.
    pub(super) fn make(mut self) {
        self.made = true;
    }
}

impl Drop for GrantedRetry {
    fn drop(&mut self) {
        let limiter = self.circuit.limiter();
        if !self.made
            && let Some(policy) = &limiter.policy().retry_budget
        {
            limiter.parts().retry_budget().refund(policy, self.circuit.now());
        }
    }
}
