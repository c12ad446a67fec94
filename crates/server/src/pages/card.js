// Turns what is typed in at Stripe's form into a token; the card itself never reaches this server.
"use strict";
(() => {
  const form = document.getElementById("pay");
  const stripe = Stripe(form.dataset.key);
  const card = stripe.elements({ locale: document.documentElement.lang }).create("card");
  card.mount("#card");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const { error, paymentMethod } = await stripe.createPaymentMethod({ type: "card", card });
    if (error) {
      document.getElementById("card-error").textContent = error.message;
      button.disabled = false;
      return;
    }
    form.elements.namedItem("provider_token").value = paymentMethod.id;
    form.submit();
  });
})();
