import type { Logger } from '@keepsend/engine'

/** A line of the engine's log. */
export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error'
  message: string
  fields: Record<string, unknown>
}

/** A logger that collects its lines, and passes them to another one if there is one. */
export function collectLines(to: Logger | undefined): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = []
  const at =
    (level: LogLine['level']) =>
    (fields: Record<string, unknown>, message: string): void => {
      lines.push({ level, message, fields })
      to?.[level]?.(fields, message)
    }
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}
