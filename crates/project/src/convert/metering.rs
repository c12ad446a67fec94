//! Measured events and what became of them, on the wire.

use std::collections::HashMap;

use florin_api::{error::v1::ErrorReason, project::v1 as wire};
use florin_credit::ProjectId;
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{instant, parse_grandchild, rate},
};
use florin_settlement::{DecimalError, Quantity};

use crate::domain::{
    metering::{
        BATCH_EVENTS_MAX, EVENT_ID_CHARACTERS_MAX, LABEL_CHARACTERS_MAX, Measured, Refused, UNITS_MAX,
        UsageEvent, Verdict, is_event_id, is_label,
    },
    resource::ResourceId,
};

const SCALE_MAX: u32 = 10;

/// A batch as it was sent: what can be read of it goes on, the rest is refused here.
#[derive(Debug)]
pub(crate) struct Sent {
    rows: Vec<Row>,
    events: Vec<UsageEvent>,
}

#[derive(Debug)]
struct Row {
    id: String,
    malformed: Option<Refused>,
}

impl Sent {
    /// Takes what could be read, to be recorded.
    pub(crate) fn take_events(&mut self) -> Vec<UsageEvent> {
        std::mem::take(&mut self.events)
    }

    /// Every verdict, in the order sent, given those of what could be read.
    fn judged(self, verdicts: Vec<Verdict>) -> (Vec<wire::UsageVerdict>, wire::UsageCounts) {
        let mut verdicts = verdicts.into_iter();
        let mut counts = wire::UsageCounts::default();
        let rows = (0..).zip(self.rows).map(|(index, row)| {
            let verdict = match row.malformed {
                Some(refused) => Some(Verdict::Refused(refused)),
                None => verdicts.next(),
            };
            rendered(index, row.id, verdict, &mut counts)
        });
        let rows = rows.collect();
        (rows, counts)
    }
}

type Name = (AccountId, ProjectId, ResourceId);

/// Reads a batch.
///
/// # Errors
/// No event, or too many.
pub(crate) fn batch(events: Vec<wire::UsageEvent>) -> Result<Sent, Violations> {
    let bounded = (1..=BATCH_EVENTS_MAX).contains(&events.len());
    if !bounded {
        let text = format!("must be 1 to {BATCH_EVENTS_MAX} events");
        return Err(Violations::one("events", text));
    }
    // A batch names few resources many times.
    let mut names: HashMap<String, Option<Name>> = HashMap::new();
    let mut sent = Sent { rows: Vec::with_capacity(events.len()), events: Vec::with_capacity(events.len()) };
    for event in events {
        let name = match names.get(&event.resource) {
            Some(name) => *name,
            None => {
                let name = parse_grandchild("projects", "resources", &event.resource).ok();
                names.insert(event.resource.clone(), name);
                name
            }
        };
        let id = said(&event.id);
        match self::event(event, name) {
            Ok(event) => {
                sent.events.push(event);
                sent.rows.push(Row { id, malformed: None });
            }
            Err(wrong) => {
                sent.rows.push(Row { id, malformed: Some(Refused::Malformed(wrong.to_string())) });
            }
        }
    }
    Ok(sent)
}

/// The id a verdict says, no longer than an id can be.
fn said(id: &str) -> String {
    match id.char_indices().nth(EVENT_ID_CHARACTERS_MAX) {
        Some((end, _)) => id[..end].to_owned(),
        None => id.to_owned(),
    }
}

fn event(event: wire::UsageEvent, name: Option<Name>) -> Result<UsageEvent, Violations> {
    let quantity = match &event.quantity {
        Some(quantity) => self::quantity(quantity),
        None => Err("is required".to_owned()),
    };
    let at = event.usage_time.as_ref().map_or(Err("is required"), instant);
    match (name, quantity, at) {
        (Some((account, project, resource)), Ok(quantity), Ok(at))
            if is_event_id(&event.id) && is_label(&event.label) =>
        {
            Ok(UsageEvent { account, project, resource, id: event.id, quantity, at, label: event.label })
        }
        (name, quantity, at) => {
            let mut wrong = Violations::new();
            let text = format!("must be 1 to {EVENT_ID_CHARACTERS_MAX} printable characters without spaces");
            wrong.check("id", is_event_id(&event.id), text);
            wrong.check("resource", name.is_some(), "is not a name of a resource");
            wrong.take("quantity", quantity);
            wrong.take("usage_time", at);
            let text =
                format!("must have at most {LABEL_CHARACTERS_MAX} characters and no control characters");
            wrong.check("label", is_label(&event.label), text);
            Err(wrong)
        }
    }
}

fn quantity(quantity: &florin_api::money::Decimal) -> Result<Measured, String> {
    let value = rate(quantity, SCALE_MAX).map_err(|error: DecimalError| error.to_string())?;
    let value = Quantity::try_new(value).map_err(|error| error.to_string())?;
    Measured::of(value).ok_or_else(|| format!("must be at most {UNITS_MAX}"))
}

/// Renders what became of a call's batch: every verdict.
pub(crate) fn recorded(sent: Sent, verdicts: Vec<Verdict>) -> wire::RecordUsageResponse {
    let (verdicts, counts) = sent.judged(verdicts);
    wire::RecordUsageResponse { counts: Some(counts), verdicts }
}

/// Renders what became of a stream's batch: the verdicts of what was not accepted.
pub(crate) fn streamed(sequence: i64, sent: Sent, verdicts: Vec<Verdict>) -> wire::StreamUsageResponse {
    let (mut verdicts, counts) = sent.judged(verdicts);
    verdicts.retain(|verdict| verdict.outcome() != wire::usage_verdict::Outcome::Accepted);
    wire::StreamUsageResponse { sequence, counts: Some(counts), verdicts }
}

fn rendered(
    index: i32,
    event_id: String,
    verdict: Option<Verdict>,
    counts: &mut wire::UsageCounts,
) -> wire::UsageVerdict {
    use wire::usage_verdict::Outcome;
    let (outcome, count, refused) = match verdict {
        Some(Verdict::Accepted) => (Outcome::Accepted, &mut counts.accepted_count, None),
        Some(Verdict::Duplicate) => (Outcome::Duplicate, &mut counts.duplicate_count, None),
        Some(Verdict::Refused(refused)) => (Outcome::Refused, &mut counts.refused_count, Some(refused)),
        None => (Outcome::Unspecified, &mut counts.refused_count, None),
    };
    *count += 1;
    wire::UsageVerdict {
        index,
        event_id,
        outcome: outcome.into(),
        reason: refused.as_ref().map_or(ErrorReason::Unspecified, reason).into(),
        message: refused.map(|refused| refused.to_string()).unwrap_or_default(),
    }
}

fn reason(refused: &Refused) -> ErrorReason {
    match refused {
        Refused::Malformed(_) => ErrorReason::UsageEventMalformed,
        Refused::Conflict => ErrorReason::UsageEventConflict,
        Refused::ResourceUnknown => ErrorReason::UsageResourceUnknown,
        Refused::ProjectEnded(_) => ErrorReason::UsageProjectEnded,
        Refused::InFuture { .. } => ErrorReason::UsageInFuture,
        Refused::TooOld { .. } => ErrorReason::UsageTooOld,
        Refused::OutsideLifetime => ErrorReason::UsageOutsideLifetime,
        Refused::NotMetered(_) => ErrorReason::UsageNotMetered,
    }
}
