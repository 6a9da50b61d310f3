// A suite that ran in Node after all would say nothing.
const expected = process.env['KEEPSEND_EXPECTS'] ?? ''
if (process.versions[expected] === undefined) throw new Error(`these tests should run in ${expected}`)
