//! `florin.account.v1.AuthService`.

use florin_api::account::v1::{
    LoginRequest, LoginResponse, LogoutRequest, LogoutResponse, Session, auth_service_server::AuthService,
};
use florin_platform::{
    Platform,
    call::{Call, Principal},
    id::AccountId,
    idempotency::RequestKey,
    wire::{account_name, child_name, parse_child, timestamp},
};
use tonic::{Request, Response, Status};

use crate::{convert, error::Error, service::sign_in};

/// Sign-in over `platform`.
#[derive(Clone, Debug)]
pub struct AuthRpc {
    platform: Platform,
}

impl AuthRpc {
    /// Serves sessions kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl AuthService for AuthRpc {
    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let credentials = convert::sign_in::credentials(&request).map_err(Error::from)?;
        let checked = &sign_in::check(&self.platform, credentials).await?;
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, &request);
        let login = |tx, now| async move {
            let opened = sign_in::login(&self.platform, &tx, now, call, checked.clone()).await?;
            Ok(opened.map(|opened| opened_session(&opened)))
        };
        let answer = self.platform.mutate_or_trace::<_, Error, _>(&key, login).await?;
        Ok(Response::new(self.with_token(answer)?))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let Principal::Customer { account, session } = call.principal else {
            return Err(Error::NoSession.into());
        };
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, &request);
        let logout = |tx, now| async move {
            sign_in::logout(&tx, now, call, account, session).await.map(|()| LogoutResponse {})
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, logout).await?))
    }
}

impl AuthRpc {
    /// The token is never stored with the answer; it is derived again each time the answer is given.
    fn with_token(&self, answer: LoginResponse) -> Result<LoginResponse, Error> {
        let name = answer.session.as_ref().map(|session| session.name.clone()).unwrap_or_default();
        let (_, session) = parse_child("sessions", &name).map_err(|_| Error::NotFound(name))?;
        Ok(LoginResponse { token: sign_in::token(&self.platform, session), ..answer })
    }
}

fn opened_session(opened: &sign_in::Opened) -> LoginResponse {
    LoginResponse {
        session: Some(Session {
            name: child_name(opened.account, "sessions", opened.session),
            create_time: Some(timestamp(opened.created)),
            expire_time: Some(timestamp(opened.expires)),
        }),
        token: String::new(),
        account: account_name(opened.account),
    }
}
