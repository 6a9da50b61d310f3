import type { Logger } from './logger.ts'
import type { EngineOptions } from './options.ts'
import { PLAINTEXT } from './secrets/secret-store.ts'

/** Logs a warning for each option that is for local work only. */
export function warnOfDevelopment(logger: Logger, { secrets, development }: EngineOptions): void {
  if (secrets === PLAINTEXT) logger.warn({}, 'signing secrets are stored in plaintext; use this for development only')
  if (development)
    logger.warn(
      {},
      'development: true opens this machine to endpoint URLs: http and any port on localhost, 127.0.0.0/8 and [::1]; never use it in production',
    )
}
