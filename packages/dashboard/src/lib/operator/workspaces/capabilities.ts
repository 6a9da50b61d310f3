import type { PortalCapability } from '@keepsend/engine'

/** The actions that a portal link can allow, in the order of its form. */
export const CAPABILITIES = [
  'endpoints:write',
  'secrets:write',
  'tests:send',
  'replays:write',
] as const satisfies readonly PortalCapability[]
