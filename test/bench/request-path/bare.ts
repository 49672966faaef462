/** The smallest Worker there is: what start-up is compared with. */
export default {
  fetch: () => new Response("ok"),
};
