//! Money that goes back: given back by the merchant, or taken back by the payer's bank.

use serde_json::{Value, json};

use crate::{
    answer::{Answer, Refused},
    books::{Books, number, text},
    form::Form,
};

impl Books {
    pub(crate) fn create_refund(&mut self, form: &Form) -> Result<Answer, Refused> {
        let intent = self.get(form.get("payment_intent").unwrap_or_default(), "payment_intent")?;
        let charge = self.object(&text(&intent, "latest_charge"));
        let Some(mut charge) = charge.filter(|charge| number(charge, "amount_captured") > 0) else {
            let message = "This PaymentIntent does not have a successful charge to refund.";
            return Err(Answer::invalid(None, None, message));
        };
        let amount = form.number("amount").unwrap_or_else(|| number(&charge, "amount_captured"));
        let left = number(&charge, "amount_captured") - number(&charge, "amount_refunded");
        if left == 0 {
            let code = Some("charge_already_refunded");
            return Err(Answer::invalid(code, None, "The charge has already been refunded."));
        }
        if amount > left {
            return Err(Answer::invalid(None, Some("amount"), "greater than what is left of the charge"));
        }
        let refund = json!({
            "id": self.id("re"),
            "object": "refund",
            "amount": amount,
            "balance_transaction": null,
            "charge": charge["id"],
            "created": self.now(),
            "currency": charge["currency"],
            "destination_details": { "type": "card", "card": { "type": "refund" } },
            "metadata": form.map("metadata"),
            "payment_intent": intent["id"],
            "reason": null,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": "succeeded",
            "transfer_reversal": null,
        });
        charge["amount_refunded"] = json!(number(&charge, "amount_refunded") + amount);
        charge["refunded"] = json!(charge["amount_refunded"] == charge["amount_captured"]);
        self.put(charge.clone());
        self.put(refund.clone());
        self.tell("refund.created", &refund);
        self.tell("charge.refunded", &charge);
        Ok(Answer::fine(refund))
    }

    pub(crate) fn open_dispute(&mut self, intent: &str, amount: i64, can_be_won: bool) -> String {
        let intent = self.object(intent).expect("the payment intent is there");
        let mut charge = self.object(&text(&intent, "latest_charge")).expect("it has a charge");
        charge["disputed"] = json!(true);
        let id = self.id("du");
        let dispute = json!({
            "id": id,
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": self.now(),
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {
                "access_activity_log": null, "customer_name": null, "enhanced_evidence": {},
            },
            "evidence_details": {
                "due_by": null, "enhanced_eligibility": {}, "has_evidence": false, "past_due": false,
                "submission_count": 0,
            },
            "is_charge_refundable": false,
            "livemode": false,
            "metadata": {},
            "payment_intent": intent["id"],
            "reason": if can_be_won { "fraudulent" } else { "insufficient_funds" },
            "status": if can_be_won { "needs_response" } else { "lost" },
        });
        self.put(charge);
        self.put(dispute.clone());
        self.tell("charge.dispute.created", &dispute);
        self.tell("charge.dispute.funds_withdrawn", &dispute);
        if !can_be_won {
            self.tell("charge.dispute.closed", &dispute);
        }
        id
    }

    pub(crate) fn close_dispute(&mut self, intent: &str, won: bool) {
        let found = self.all("du").find(|dispute| dispute["payment_intent"] == intent).cloned();
        let mut dispute: Value = found.expect("the payment is disputed");
        dispute["status"] = json!(if won { "won" } else { "lost" });
        self.put(dispute.clone());
        self.tell("charge.dispute.closed", &dispute);
        if won {
            self.tell("charge.dispute.funds_reinstated", &dispute);
        }
    }
}
