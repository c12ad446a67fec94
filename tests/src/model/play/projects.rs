//! Projects that begin, and that end in two steps (R4.1, R4.6).

use florin_api::project::v1::{
    ConfirmProjectDeletionRequest, CreateProjectRequest, Project as SaidProject,
    RequestProjectDeletionRequest, SetPrepaidOnlyRequest, project,
};
use tonic::Response;

use super::{World, instant, refused, send};
use crate::model::{
    act::Sent,
    books::{Bought, Life, Project},
};

impl World {
    /// Every second project of an account is prepaid-only.
    pub(super) async fn found(&mut self, account: usize, sent: Sent) {
        let request = CreateProjectRequest {
            parent: self.players[account].customer.account.clone(),
            project: Some(SaidProject { display_name: "A project".to_owned(), ..Default::default() }),
            request_id: self.request_id(),
            ..Default::default()
        };
        let caller = self.players[account].customer.caller.clone();
        let created = send(sent, || async { caller.projects().create_project(request.clone()).await }).await;
        if self.books[account].owed() > 0 {
            return refused(created, "DEBT_UNPAID");
        }
        let created = created.expect("a VALID card funds it");
        let prepaid_only = self.books[account].projects.len() % 2 == 1;
        if prepaid_only {
            let request = SetPrepaidOnlyRequest {
                name: format!("{}/spendingControls", created.name),
                prepaid_only,
                request_id: self.request_id(),
                ..Default::default()
            };
            caller.budgets().set_prepaid_only(request).await.expect("it is the customer's own");
        }
        let begun = instant(created.create_time.as_ref());
        self.books[account].projects.push(Project::begin(created.name, prepaid_only, begun));
    }

    pub(super) async fn delete(&mut self, account: usize, project: usize, sent: Sent) {
        let caller = self.players[account].customer.caller.clone();
        let name = self.books[account].projects[project].name.clone();
        let request = RequestProjectDeletionRequest {
            name: name.clone(),
            request_id: self.request_id(),
            ..Default::default()
        };
        let asked = caller.projects().request_project_deletion(request).await.map(Response::into_inner);
        if self.books[account].projects[project].life != Life::Active {
            return refused(asked, "PROJECT_NOT_LIVE");
        }
        if self.books[account].owed() > 0 {
            return refused(asked, "DEBT_UNPAID");
        }
        asked.expect("nothing is owed");
        let token = self.florin.mailed_deletion_token(&self.players[account].customer.account).await;
        let request = ConfirmProjectDeletionRequest { name, token, request_id: self.request_id() };
        let deleting =
            send(sent, || async { caller.projects().confirm_project_deletion(request.clone()).await }).await;
        let deleting = deleting.expect("the token is right");
        assert_eq!(deleting.state(), project::State::Deleting);
        self.stopped(account, project, &deleting);
    }

    /// Everything stops at once: what runs, what is reserved, what could still be paid.
    fn stopped(&mut self, account: usize, project: usize, deleting: &SaidProject) {
        let at = instant(deleting.metering_stop_time.as_ref());
        let books = &mut self.books[account];
        books.projects[project].life = Life::Deleting(instant(deleting.grace_end_time.as_ref()));
        let running =
            books.resources.iter_mut().filter(|known| known.project == project && known.to.is_none());
        running.for_each(|resource| resource.to = Some(at));
        let holds = books.holds.iter_mut().filter(|hold| hold.project == project && hold.is_open(at));
        holds.for_each(|hold| hold.released = true);
        let open = |state, expires| state == Bought::Open && at < expires;
        let orders = books.orders.iter_mut().filter(|order| order.project == project);
        orders
            .filter(|order| open(order.state, order.expires))
            .for_each(|order| order.state = Bought::Canceled);
    }
}
