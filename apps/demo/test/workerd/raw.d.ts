/** A file as text, by vite. */
declare module '*.sql?raw' {
  const sql: string
  export default sql
}
