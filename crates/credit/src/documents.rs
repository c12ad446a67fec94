//! The printable order (R6.3): HTML in the customer's language, with the seller's legal mentions.
//!
//! Always holds: made of the order as it was placed and of its parties as they were then, and of nothing else: the
//! same bytes whenever it is produced (R8.6). What was paid, and with which VAT, is the purchase invoice's to say.

use florin_account::Parties;
use florin_platform::html::escaped;

use crate::domain::order::{CREDIT_MONTHS, CreditOrder, WITHDRAWAL_DAYS};

/// What a document says in one language.
struct Words {
    title: &'static str,
    seller: &'static str,
    buyer: &'static str,
    number: &'static str,
    date: &'static str,
    payable_until: &'static str,
    description: &'static str,
    net: &'static str,
    tax: &'static str,
    gross: &'static str,
    credit: &'static str,
    terms: fn(u32) -> String,
    withdrawal: fn(u32) -> String,
}

const ENGLISH: Words = Words {
    title: "Purchase order",
    seller: "Seller",
    buyer: "Buyer",
    number: "Number",
    date: "Date",
    payable_until: "Payable until",
    description: "Description",
    net: "Amount excluding VAT",
    tax: "VAT",
    gross: "To be paid, including VAT",
    credit: "Cloud credit",
    terms: |months| {
        format!(
            "The credit is issued once the order is paid and expires {months} months after the payment. It is not \
             transferable, not refundable and has no cash value. The VAT is that of the day of the payment. This \
             order is not an invoice; the invoice is issued with the payment."
        )
    },
    withdrawal: |days| {
        format!(
            "You may withdraw within {days} days of the payment, unless you expressly ask for the credit at once and \
             acknowledge that you lose this right by it."
        )
    },
};

const FRENCH: Words = Words {
    title: "Bon de commande",
    seller: "Vendeur",
    buyer: "Acheteur",
    number: "Numéro",
    date: "Date",
    payable_until: "À payer avant le",
    description: "Désignation",
    net: "Montant HT",
    tax: "TVA",
    gross: "À payer TTC",
    credit: "Crédit cloud",
    terms: |months| {
        format!(
            "Le crédit est émis une fois la commande payée et expire {months} mois après le paiement. Il n'est ni \
             cessible ni remboursable et n'a aucune valeur en espèces. La TVA est celle du jour du paiement. Ce bon de \
             commande n'est pas une facture ; la facture est émise avec le paiement."
        )
    },
    withdrawal: |days| {
        format!(
            "Vous pouvez vous rétracter dans les {days} jours suivant le paiement, sauf si vous demandez expressément \
             le crédit immédiatement et reconnaissez perdre ainsi ce droit."
        )
    },
};

const DUTCH: Words = Words {
    title: "Bestelbon",
    seller: "Verkoper",
    buyer: "Koper",
    number: "Nummer",
    date: "Datum",
    payable_until: "Te betalen vóór",
    description: "Omschrijving",
    net: "Bedrag excl. btw",
    tax: "Btw",
    gross: "Te betalen incl. btw",
    credit: "Cloudkrediet",
    terms: |months| {
        format!(
            "Het krediet wordt toegekend zodra de bestelling betaald is en vervalt {months} maanden na de betaling. \
             Het is niet overdraagbaar, niet terugbetaalbaar en heeft geen waarde in geld. De btw is die van de dag \
             van de betaling. Deze bestelbon is geen factuur; de factuur volgt met de betaling."
        )
    },
    withdrawal: |days| {
        format!(
            "U kunt binnen {days} dagen na de betaling herroepen, tenzij u uitdrukkelijk om onmiddellijke toekenning \
             vraagt en erkent dat u dit recht daardoor verliest."
        )
    },
};

const GERMAN: Words = Words {
    title: "Bestellung",
    seller: "Verkäufer",
    buyer: "Käufer",
    number: "Nummer",
    date: "Datum",
    payable_until: "Zahlbar bis",
    description: "Bezeichnung",
    net: "Betrag ohne USt.",
    tax: "USt.",
    gross: "Zu zahlen mit USt.",
    credit: "Cloud-Guthaben",
    terms: |months| {
        format!(
            "Das Guthaben wird mit der Zahlung gutgeschrieben und verfällt {months} Monate danach. Es ist nicht \
             übertragbar, wird nicht erstattet und hat keinen Barwert. Es gilt die Umsatzsteuer am Tag der Zahlung. \
             Diese Bestellung ist keine Rechnung; die Rechnung folgt mit der Zahlung."
        )
    },
    withdrawal: |days| {
        format!(
            "Sie können binnen {days} Tagen nach der Zahlung widerrufen, außer wenn Sie ausdrücklich die sofortige \
             Gutschrift verlangen und anerkennen, dass Sie dieses Recht dadurch verlieren."
        )
    },
};

fn words(language: &str) -> &'static Words {
    match language {
        "fr" => &FRENCH,
        "nl" => &DUTCH,
        "de" => &GERMAN,
        _ => &ENGLISH,
    }
}

const STYLE: &str = "body{font-family:sans-serif;max-width:46em;margin:3em auto;color:#222}\
    table{border-collapse:collapse;width:100%}td,th{padding:.4em .6em;text-align:left;vertical-align:top}\
    .sums td:last-child,.sums th:last-child{text-align:right}.sums tr{border-top:1px solid #ccc}\
    .parties td{width:50%;white-space:pre-line}small{color:#555}";

/// The document of `order` between `parties`.
pub(crate) fn order_html(order: &CreditOrder, parties: &Parties) -> String {
    let words = words(&parties.language);
    let price = &order.price;
    let title = format!("{} {}", words.title, order.number);
    let facts = [
        (words.number, order.number.clone()),
        (words.date, order.created.to_string()),
        (words.payable_until, order.expires.to_string()),
    ];
    let heading = format!("{} {}", words.credit, order.number);
    let sums = [
        (words.net.to_owned(), price.net.to_string()),
        (format!("{} {} %", words.tax, price.tax_rate), price.tax.to_string()),
        (words.gross.to_owned(), price.gross.to_string()),
    ];
    let rows = |rows: &[(String, String)]| {
        let row = |(name, value): &(String, String)| {
            format!("<tr><td>{}</td><td>{}</td></tr>\n", escaped(name), escaped(value))
        };
        rows.iter().map(row).collect::<String>()
    };
    let facts = rows(&facts.map(|(name, value)| (name.to_owned(), value)));
    let mut mentions = vec![(words.terms)(CREDIT_MONTHS)];
    mentions.extend(order.withdrawable.then(|| (words.withdrawal)(WITHDRAWAL_DAYS)));
    mentions.extend(price.tax_mention.clone());
    mentions.extend(parties.mentions.lines().map(str::to_owned));
    let mentions = mentions.iter().map(|text| format!("<p><small>{}</small></p>\n", escaped(text)));
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n<table class=\"parties\"><tr><th>{seller}</th>\
         <th>{buyer}</th></tr>\n<tr><td>{seller_text}</td><td>{buyer_text}</td></tr></table>\n\
         <table>{facts}</table>\n<table class=\"sums\">\n<tr><th>{description}</th><th></th></tr>\n\
         <tr><td>{heading}</td><td></td></tr>\n{sums}</table>\n{mentions}</body>\n</html>\n",
        language = escaped(&parties.language),
        title = escaped(&title),
        seller = words.seller,
        buyer = words.buyer,
        seller_text = escaped(&parties.seller),
        buyer_text = escaped(&parties.buyer),
        description = words.description,
        heading = escaped(&heading),
        sums = rows(&sums),
        mentions = mentions.collect::<String>(),
    )
}

/// What the document is called as a file.
pub(crate) fn file_name(order: &CreditOrder) -> String {
    format!("{}.html", order.number)
}
