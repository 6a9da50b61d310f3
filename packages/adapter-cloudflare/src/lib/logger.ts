import type { Logger } from '@keepsend/engine'

/** Logs lines of JSON, so that Workers Logs and `wrangler tail` can search the fields. Has no `debug`. */
export const jsonConsoleLogger: Logger = {
  info(fields, message) {
    console.info(JSON.stringify({ level: 'info', message, ...fields }))
  },
  warn(fields, message) {
    console.warn(JSON.stringify({ level: 'warn', message, ...fields }))
  },
  error(fields, message) {
    console.error(JSON.stringify({ level: 'error', message, ...fields }))
  },
}

/** The default of a Worker with `development`. */
export const debugJsonConsoleLogger: Logger = {
  ...jsonConsoleLogger,
  debug(fields, message) {
    console.debug(JSON.stringify({ level: 'debug', message, ...fields }))
  },
}
