// The token is kept until the tab is closed. Swagger UI's own persistAuthorization would leave it in the
// local storage, where it outlives the browser.
const KEY = "chartlog-token";
const SCHEME = "bearer";

const keepsToken = {
  statePlugins: {
    auth: {
      wrapActions: {
        authorize: (authorize) => (payload) => {
          if (payload[SCHEME]) sessionStorage.setItem(KEY, payload[SCHEME].value);
          return authorize(payload);
        },
        logout: (logout) => (schemes) => {
          sessionStorage.removeItem(KEY);
          return logout(schemes);
        },
      },
    },
  },
};

const page = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  plugins: [keepsToken],
  onComplete: () => {
    const token = sessionStorage.getItem(KEY);
    if (token) page.preauthorizeApiKey(SCHEME, token);
  },
});
