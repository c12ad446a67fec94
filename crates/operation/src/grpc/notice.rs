//! `florin.operation.v1.NoticeService`.

use florin_api::operation::v1::{
    GetNoticeRequest, ListNoticesRequest, ListNoticesResponse, Notice, notice_service_server::NoticeService,
};
use florin_platform::{
    Platform,
    call::{Call, Role},
    notice::NoticeId,
    page::Page,
    violation::Violations,
    wire::{account_name, parse_account, parse_child},
};
use tonic::{Request, Response, Status};

use crate::{
    convert::{self, Secrets},
    error::Error,
    store,
};

/// Kinds one list may ask for.
const KINDS_MAX: usize = 100;

/// Notices, read-only.
#[derive(Clone, Debug)]
pub struct NoticeRpc {
    platform: Platform,
}

impl NoticeRpc {
    /// Serves notices kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }

    fn secrets(&self, call: &Call) -> Secrets<'_> {
        if call.has_role(Role::Sandbox) { Secrets::Shown(&self.platform.key) } else { Secrets::Masked }
    }
}

#[tonic::async_trait]
impl NoticeService for NoticeRpc {
    async fn list_notices(
        &self,
        request: Request<ListNoticesRequest>,
    ) -> Result<Response<ListNoticesResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let key = &self.platform.key;
        let (wanted, page) = wanted(&self.platform, &request).map_err(Error::from)?;
        if !call.may_see(wanted.account) {
            return Err(Error::NotFound(account_name(wanted.account)).into());
        }
        let found = store::list(self.platform.db.reader(), &wanted).await.map_err(Error::from)?;
        let (found, next_page_token) = page.cut(key, found, |notice| notice.id.to_string());
        let secrets = self.secrets(&call);
        let notices = found.iter().map(|notice| convert::notice(notice, secrets)).collect();
        Ok(Response::new(ListNoticesResponse { notices, next_page_token }))
    }

    async fn get_notice(&self, request: Request<GetNoticeRequest>) -> Result<Response<Notice>, Status> {
        let call = Call::of(&request);
        let name = request.into_inner().name;
        let (account, id) =
            parse_child("notices", &name).map_err(|error| Error::from(Violations::one("name", error)))?;
        let found = store::find(self.platform.db.reader(), account, id).await.map_err(Error::from)?;
        let notice = found.filter(|_| call.may_see(account)).ok_or(Error::NotFound(name))?;
        Ok(Response::new(convert::notice(&notice, self.secrets(&call))))
    }
}

fn wanted(platform: &Platform, request: &ListNoticesRequest) -> Result<(store::Wanted, Page), Violations> {
    let mut violations = Violations::new();
    let account = violations.take("parent", parse_account(&request.parent));
    let few = request.kinds.len() <= KINDS_MAX;
    violations.check("kinds", few, format!("at most {KINDS_MAX} kinds"));
    let query = format!("ListNotices/{}/{}", request.parent, request.kinds.join(","));
    let page = match Page::parse(&platform.key, &query, request.page_size, &request.page_token) {
        Ok(page) => Some(page),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let (account, page) = violations.finish_with(account.zip(page))?;
    let before = page.after.as_deref().map(NoticeId::parse).transpose();
    let before = before.map_err(|error| Violations::one("page_token", error))?;
    Ok((store::Wanted { account, kinds: request.kinds.clone(), before, fetch: page.fetch() }, page))
}
