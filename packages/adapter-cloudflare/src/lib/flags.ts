import { AdapterError } from './errors.ts'

const FLAG = 'global_fetch_strictly_public'

/**
 * Refuses to run without the flag that sends requests for names of the Worker's own zone through the front door.
 * Without it a customer's URL in that zone reaches the origin behind Cloudflare, past everything that guards it.
 *
 * @param runtime what workerd says of itself; where it says nothing of its flags, nothing can be asked
 */
export function checkFlags(runtime: unknown = Reflect.get(globalThis, 'Cloudflare')): void {
  const flags: unknown = Reflect.get(Object(runtime), 'compatibilityFlags')
  if (typeof flags !== 'object' || flags === null || Reflect.get(flags, FLAG) === true) return
  throw new AdapterError(
    'missing_flag',
    `the compatibility flag ${FLAG} is not set: add it to compatibility_flags in wrangler.jsonc. Without it an endpoint's URL in your own zone reaches the origin behind Cloudflare`,
  )
}
