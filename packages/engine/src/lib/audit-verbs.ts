/** Every action of a person that the audit records. */
export const AUDIT_VERBS = [
  'endpoint.create',
  'endpoint.update',
  'endpoint.delete',
  'endpoint.enable',
  'endpoint.disable',
  'endpoint.pause',
  'endpoint.resume',
  'endpoint.rotate_secret',
  'endpoint.end_secret',
  'endpoint.reveal_secrets',
  'endpoint.test',
  'delivery.replay',
  'delivery.retry_now',
  'delivery.give_up',
  'replay.create',
  'replay.pause',
  'replay.resume',
  'replay.cancel',
  'erasure.create',
  'problem.acknowledge',
  'problem.resolve',
  'api_key.create',
  'api_key.revoke',
  'api_key.rotate',
  'portal_link.create',
  'portal_link.revoke',
  'portal_link.open',
  'workspace.set_retention',
] as const

/** An action of a person: what it was done to, a dot, and what was done. */
export type AuditVerb = (typeof AUDIT_VERBS)[number]
