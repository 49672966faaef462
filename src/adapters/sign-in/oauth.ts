/** What we use of the OAuth library, in one place: a bundler leaves the rest of it out. It is loaded with the first sign-in, not at start. */
export {
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  discoveryRequest,
  getValidatedIdTokenClaims,
  jwksCache,
  processAuthorizationCodeResponse,
  processDiscoveryResponse,
  processUserInfoResponse,
  userInfoRequest,
  validateApplicationLevelSignature,
  validateAuthResponse,
} from "oauth4webapi";
export type { AuthorizationServer, ClientAuth, JWKSCacheInput } from "oauth4webapi";
