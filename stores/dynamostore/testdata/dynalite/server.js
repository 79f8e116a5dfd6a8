// Starts dynalite. It survives clients that are killed in the middle of a
// request, which dynalite alone does not.
const dynalite = require('dynalite')

process.on('uncaughtException', (err) => {
  if (err.code !== 'ECONNRESET') throw err
})
dynalite({ createTableMs: 0, deleteTableMs: 0 }).listen(4567, '127.0.0.1')
