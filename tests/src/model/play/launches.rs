//! What is reserved, started and stopped (R4.8, R5.2).

use chrono::TimeDelta;
use florin_api::{
    money::Decimal,
    project::v1::{
        AddResourceRequest, Hold as SaidHold, PlaceHoldRequest, ReleaseHoldRequest, RemoveResourceRequest,
        Resource as SaidResource, hold,
    },
};
use tonic::Status;

use super::{PLANS, World, cents, instant, race, refused, send};
use crate::model::{
    act::Sent,
    books::{Account, Cents, Family, Life, Resource, hour_end},
    launches::{COVER_HOURS, Hold},
};

/// What is to be reserved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) account: usize,
    pub(super) project: usize,
    pub(super) family: Family,
    pub(super) size: i64,
    pub(super) count: i64,
    pub(super) minutes: i64,
}

/// The half minute keeps a hold from ending while somebody looks: clocks are set to full minutes.
const HALF_A_MINUTE: i64 = 30;

impl World {
    pub(super) async fn hold(&mut self, wanted: &Wanted, sent: Sent) {
        let request = self.reservation(wanted);
        let plane = self.florin.operator.clone();
        let answer = send(sent, || async { plane.funding().place_hold(request.clone()).await }).await;
        self.reserved(wanted, answer);
    }

    /// Whoever comes first reserves, as long as something is available: none of it is promised twice.
    pub(super) async fn hold_race(&mut self, wanted: &Wanted, clients: usize) {
        let requests: Vec<_> = (0..clients).map(|_| self.reservation(wanted)).collect();
        let plane = self.florin.operator.clone();
        let place = |request| {
            let mut plane = plane.funding();
            async move { plane.place_hold(request).await }
        };
        let mut answers = race(requests, place).await;
        // All of them ask for the same: those who were refused came last.
        answers.sort_by_key(Result::is_err);
        for answer in answers {
            self.reserved(wanted, answer);
        }
    }

    fn reservation(&mut self, wanted: &Wanted) -> PlaceHoldRequest {
        PlaceHoldRequest {
            parent: self.books[wanted.account].projects[wanted.project].name.clone(),
            plan: plan(wanted.family).to_owned(),
            count: i32::try_from(wanted.count).expect("few"),
            size: Some(Decimal { value: wanted.size.to_string() }),
            cover: None,
            lifetime: Some(prost_types::Duration { seconds: wanted.minutes * 60 + HALF_A_MINUTE, nanos: 0 }),
            request_id: self.request_id(),
        }
    }

    fn reserved(&mut self, wanted: &Wanted, answer: Result<SaidHold, Status>) {
        let Wanted { account, project, family, size, count, .. } = *wanted;
        let unit = self.estimate(family, size);
        let books = &mut self.books[account];
        if books.projects[project].life != Life::Active {
            return refused(answer, "PROJECT_NOT_ACTIVE");
        }
        if books.owed() > 0 {
            return refused(answer, "DEBT_UNPAID");
        }
        if !books.can_start(project, family, unit * count, self.now) {
            return refused(answer, "PREPAID_FUNDS_EXHAUSTED");
        }
        let placed = answer.expect("there is enough");
        assert_eq!(placed.state(), hold::State::Open);
        assert_eq!(cents(placed.amount.as_ref()), unit * count, "{placed:?}");
        books.holds.push(Hold {
            name: placed.name,
            project,
            family,
            size,
            count,
            used: 0,
            unit,
            resource: None,
            expires: instant(placed.expire_time.as_ref()),
            released: false,
        });
    }

    pub(super) async fn release(&mut self, account: usize, hold: usize, sent: Sent) {
        let name = self.books[account].holds[hold].name.clone();
        let request = ReleaseHoldRequest { name, request_id: self.request_id() };
        let plane = self.florin.operator.clone();
        let answer = send(sent, || async { plane.funding().release_hold(request.clone()).await }).await;
        let said = answer.expect("releasing is never refused");
        let known = &mut self.books[account].holds[hold];
        let was_open = known.is_open(self.now);
        known.released |= was_open;
        assert_eq!(said.state() == hold::State::Released, known.released, "{said:?} {known:?}");
    }

    pub(super) async fn run(
        &mut self,
        account: usize,
        project: usize,
        (family, size): (Family, i64),
        hold: Option<usize>,
        sent: Sent,
    ) {
        let resource = SaidResource {
            plan: plan(family).to_owned(),
            size: Some(Decimal { value: size.to_string() }),
            ..SaidResource::default()
        };
        let request = AddResourceRequest {
            parent: self.books[account].projects[project].name.clone(),
            resource: Some(resource),
            request_id: self.request_id(),
            hold: hold.map(|hold| self.books[account].holds[hold].name.clone()).unwrap_or_default(),
        };
        let caller = &self.players[account].customer.caller;
        let added = send(sent, || async { caller.resources().add_resource(request.clone()).await }).await;
        let unit = self.estimate(family, size);
        let books = &mut self.books[account];
        if books.projects[project].life != Life::Active {
            return refused(added, "PROJECT_NOT_ACTIVE");
        }
        let unit = match hold {
            Some(hold) if !books.holds[hold].is_open(self.now) => return refused(added, "HOLD_NOT_OPEN"),
            Some(hold) if books.holds[hold].family != family || books.holds[hold].size < size => {
                return refused(added, "HOLD_DOES_NOT_FIT");
            }
            Some(hold) => {
                books.holds[hold].used += 1;
                Some(books.holds[hold].unit)
            }
            None if !books.can_start(project, family, unit, self.now) => {
                return refused(added, "PREPAID_FUNDS_EXHAUSTED");
            }
            None => books.projects[project].prepaid_only.then_some(unit),
        };
        let added = added.expect("it starts");
        let from = instant(added.create_time.as_ref());
        let price = self.prices[usize::from(family == Family::Storage)];
        books.resources.push(Resource { name: added.name, project, family, price, size, from, to: None });
        if let Some(unit) = unit {
            books.holds.push(Hold {
                name: String::new(),
                project,
                family,
                size,
                count: 1,
                used: 1,
                unit,
                resource: Some(books.resources.len() - 1),
                expires: hour_end(from) + TimeDelta::hours(COVER_HOURS - 1),
                released: false,
            });
        }
    }

    pub(super) async fn stop(&mut self, account: usize, resource: usize, sent: Sent) {
        let request_id = self.request_id();
        let known = &mut self.books[account].resources[resource];
        let request = RemoveResourceRequest { name: known.name.clone(), request_id, ..Default::default() };
        let caller = &self.players[account].customer.caller;
        let removed = send(sent, || async { caller.resources().remove_resource(request.clone()).await });
        known.to = Some(instant(removed.await.expect("it stops").remove_time.as_ref()));
    }

    /// What so much costs from now on, over the usual cover.
    fn estimate(&self, family: Family, size: i64) -> Cents {
        let price = self.prices[usize::from(family == Family::Storage)];
        let (name, from) = (String::new(), self.now);
        let resource = Resource { name, project: 0, family, price, size, from, to: None };
        Account::estimate(&resource, COVER_HOURS)
    }
}

fn plan(family: Family) -> &'static str {
    PLANS.iter().find(|(known, _)| *known == family).expect("a plan of each family").1
}
