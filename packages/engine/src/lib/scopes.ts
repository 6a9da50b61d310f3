/** A permission of a credential. */
export type Scope = (typeof SCOPES)[number]

/** Every scope, in the order of the API. `secrets:read` reveals signing secrets and is not part of `endpoints:read`. */
export const SCOPES = [
  'events:read',
  'events:write',
  'endpoints:read',
  'endpoints:write',
  'secrets:read',
  'deliveries:read',
  'deliveries:write',
] as const
