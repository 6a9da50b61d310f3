/** Everything that a portal link can allow; seeing the endpoints and deliveries of its workspace is always allowed. */
export const PORTAL_CAPABILITIES = ['endpoints:write', 'secrets:write', 'tests:send', 'replays:write'] as const

/** An action that a portal link allows, in the words of the API's scopes. */
export type PortalCapability = (typeof PORTAL_CAPABILITIES)[number]
