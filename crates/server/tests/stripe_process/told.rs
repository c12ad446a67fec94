//! What notices do, and what there is not outside a sandbox.

use florin_api::{
    account::v1::GetAccountRequest,
    credit::v1::credit_order,
    payment::v1::{payment, payment_method},
    sandbox::v1::GetClockRequest,
};
use florin_peer::{Fault, Peer, Signed};
use florin_testbed::{TestDatabase, on_both_backends};

use crate::{
    books::Books,
    server::{SECRET_KEY, WEBHOOK_SECRET, florin, told},
    shop::{Shop, last, pay},
};

on_both_backends! {
    async fn a_card_is_registered_and_credit_bought_once_however_often_it_is_told(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;
        let order = shop.order(&ada).await;
        shop.peer.next(Fault::LoseAnswer);
        let paid = pay(shop.caller(&ada.customer), ada.paying(&order)).await.unwrap();
        let payment = paid.payment.unwrap();
        assert_eq!(payment.state(), payment::State::Processing, "the answer was lost");
        let books = Books::of(&shop, &ada.customer).await;
        assert_eq!((books.orders[0].state(), books.credits.len()), (credit_order::State::Processing, 0));
        let events = shop.deliver().await;
        Books::of(&shop, &ada.customer).await.say_bought(1);
        let again = events.iter().rev().cycle().take(50).map(|event| shop.server.push(event));
        for status in futures::future::join_all(again).await {
            assert_eq!(status, 200);
        }
        Books::of(&shop, &ada.customer).await.say_bought(1);
        let moved = shop.peer.moved("florin_payment", last(&payment.name));
        assert_eq!((moved.charges, moved.captured, moved.refunded), (1, 3600, 0));
    }

    async fn notices_that_are_forged_late_or_too_large_have_no_effect(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let ada = shop.customer("ada").await;
        let card = shop.card(&ada, "pm_card_authenticationRequired").await;
        shop.peer.approve(&shop.setup_of(&card.name));
        let events = shop.peer.take_events();
        let event = events.last().unwrap();
        let old = 1_700_000_000;
        let stale = Signed { signature: florin_peer::signature(WEBHOOK_SECRET, old, &event.body), ..event.clone() };
        let forged = Signed { signature: florin_peer::signature("whsec_guess", old, &event.body), ..event.clone() };
        let changed = Signed { body: event.body.replace("succeeded", "succeedeD"), ..event.clone() };
        let unsigned = Signed { signature: String::new(), ..event.clone() };
        for refused in [stale, forged, changed, unsigned] {
            assert_eq!(shop.server.push(&refused).await, 400, "{refused:?}");
        }
        let large = shop.peer.sign(&"x".repeat(600_000));
        assert_eq!(shop.server.push(&large).await, 413);
        assert_eq!(shop.method(&ada, &card.name).await, payment_method::State::Validating);
        assert_eq!(shop.server.push(event).await, 200);
        assert_eq!(shop.method(&ada, &card.name).await, payment_method::State::Valid);
    }

    async fn outside_a_sandbox_nobody_plays(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;
        let desk = shop.anonymous().with_token(&told(&db, &shop.peer, &["token", "desk", "--role", "OPERATOR"]));
        let get = GetAccountRequest { name: ada.customer.account.clone() };
        desk.accounts().get_account(get).await.unwrap();
        let clock = desk.clock().get_clock(GetClockRequest::default()).await.unwrap_err();
        assert_eq!(clock.code(), tonic::Code::Unimplemented, "{clock:?}");
        let order = shop.order(&ada).await;
        let link = order.payment_link.strip_prefix("https://pay.example.com").unwrap();
        let (status, policy, body) = shop.server.page(link).await;
        assert_eq!(status, 200, "{body}");
        assert!(policy.contains("script-src 'self' https://js.stripe.com;"), "{policy}");
        assert!(body.contains("data-key=\"pk_test_peer\"") && body.contains("36.00 EUR"), "{body}");
        assert!(!body.contains(SECRET_KEY) && !body.contains("pm_card"), "{body}");
        assert_eq!(shop.server.page(&format!("/sandbox/{}", ada.card)).await.0, 404);
        assert_eq!(shop.server.page("/pay/return").await.0, 200);
        assert_eq!(shop.server.page("/pages/card.js").await.0, 200);
    }
}

#[tokio::test]
async fn without_keys_the_server_does_not_start_and_says_what_is_missing() {
    let db = TestDatabase::create(florin_testbed::Backend::Sqlite).await;
    let peer = Peer::start(SECRET_KEY, WEBHOOK_SECRET).await;
    let mut command = florin(&db, &peer, &["serve"]);
    for setting in ["SECRET_KEY", "PUBLISHABLE_KEY", "WEBHOOK_SECRETS"] {
        command.env_remove(format!("FLORIN_STRIPE_{setting}"));
    }
    let output = command.env("FLORIN_PUBLIC_URL", "nowhere").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for field in ["stripe_secret_key", "stripe_publishable_key", "stripe_webhook_secrets", "public_url"] {
        assert!(said.contains(&format!("  {field}: ")), "{field} is missing in {said}");
    }
}
