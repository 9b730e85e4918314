"use strict";
// The name that the scripts of this page share, and the reader of what script_data.packed wrote.
var Report = {};

/** Base64 to a typed array of `Kind`, Float32Array for instance. The machine is taken to be little-endian. */
Report.column = (base64, Kind) => {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Kind(bytes.buffer);
};

/** Calls `make` when its value is first asked for, and once. */
Report.once = (make) => {
  let value, made = false;
  return () => {
    if (!made) [value, made] = [make(), true];
    return value;
  };
};
