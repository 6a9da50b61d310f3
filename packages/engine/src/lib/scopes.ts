/** A permission of a credential. */
export type Scope = (typeof SCOPES)[number] | (typeof OPERATOR_SCOPES)[number]

/**
 * Every scope within a workspace, in the order of the API. `secrets:read` reveals signing secrets and is not part of
 * `endpoints:read`. `keys:write` makes API keys, which outlive the credential that made them, and `erasures:write` deletes for good: an
 * API key has one of these only if it is created with it by name.
 */
export const SCOPES = [
  'events:read',
  'events:write',
  'endpoints:read',
  'endpoints:write',
  'secrets:read',
  'deliveries:read',
  'deliveries:write',
  'keys:read',
  'keys:write',
  'audit:read',
  'erasures:read',
  'erasures:write',
] as const

/** The scopes of an API key that is created without. */
export const DEFAULT_SCOPES: readonly Scope[] = SCOPES.filter(
  (scope) => scope !== 'keys:write' && scope !== 'erasures:write',
)

/**
 * Scopes of operators, which reach beyond a workspace: never give them to a tenant. `workspaces:read` lets the lists and reads that
 * the credential has a scope for read other workspaces; `workspaces:export` exports any workspace as a whole. An API key has them only
 * if it is created with them by name.
 */
export const OPERATOR_SCOPES = ['workspaces:read', 'workspaces:export'] as const

/** Every scope that exists. */
export const ALL_SCOPES: readonly Scope[] = [...SCOPES, ...OPERATOR_SCOPES]
